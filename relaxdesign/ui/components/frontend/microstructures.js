// Draws the candidates' fields as crisp tiles with a colour bar. Called again with new data at every step;
// canvases are kept, so nothing flickers and nothing is laid out anew while the number of tiles stays the same.

const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

function element(parent, tag, className) {
  const node = document.createElement(tag);
  node.className = className;
  parent.appendChild(node);
  return node;
}

function build(root, data) {
  root.replaceChildren();
  const grid = element(root, "div", "grid");
  grid.style.setProperty("--columns", data.columns);
  const tiles = data.tiles.map(() => {
    const tile = element(grid, "figure", "tile");
    const frame = element(tile, "div", "frame");
    const canvas = element(frame, "canvas", "field");
    canvas.setAttribute("role", "img");
    const value = element(frame, "span", "value");
    const caption = element(tile, "figcaption", "caption");
    return { tile, canvas, value, number: element(caption, "span", "number"),
             main: element(caption, "span", "main"), extra: element(caption, "span", "extra") };
  });
  const scale = element(root, "div", "scale");
  const title = element(scale, "span", "title");
  const bar = element(scale, "div", "bar");
  const ramp = element(bar, "canvas", "ramp");
  ramp.setAttribute("aria-hidden", "true");
  const ticks = element(bar, "div", "ticks");
  return { count: data.tiles.length, tiles, title, ramp, ticks };
}

function drawBar(view, data, palette) {
  view.title.textContent = data.scale.title;
  view.ramp.width = 256;
  view.ramp.height = 1;
  const context = view.ramp.getContext("2d");
  const row = context.createImageData(256, 1);
  for (let i = 0; i < 256; i++) row.data.set([palette[3 * i], palette[3 * i + 1], palette[3 * i + 2], 255], 4 * i);
  context.putImageData(row, 0, 0);
  view.ticks.replaceChildren();
  for (const [position, label] of data.scale.ticks) {
    const tick = element(view.ticks, "span", "tick");
    tick.style.left = `${100 * position}%`;
    tick.textContent = label;
  }
}

function drawTile(part, tile, data, palette) {
  const [width, height] = data.shape;
  const field = bytes(tile.pixels);
  part.canvas.width = width;
  part.canvas.height = height;
  const context = part.canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < field.length; i++) {
    const c = 3 * field[i];
    image.data.set([palette[c], palette[c + 1], palette[c + 2], 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  part.canvas.setAttribute("aria-label", `${tile.number}: ${tile.main} ${tile.extra}`);
  part.number.textContent = tile.number;
  part.main.textContent = tile.main;
  part.extra.textContent = tile.extra;
  part.tile.dataset.state = tile.state;
  part.tile.title = tile.message;
  part.canvas.onpointermove = (event) => {
    const box = part.canvas.getBoundingClientRect();
    const x = Math.min(width - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * width)));
    const y = Math.min(height - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * height)));
    const { softening, top, unit } = data.scale;
    const modulus = softening * Math.sinh((field[y * width + x] / 255) * Math.asinh(top / softening));
    part.value.textContent = `${Number(modulus.toPrecision(2))} ${unit}`;
    part.value.classList.add("shown");
  };
  part.canvas.onpointerleave = () => part.value.classList.remove("shown");
}

const views = new WeakMap();

export default function (component) {
  const { data, parentElement } = component;
  if (!data) return;
  const root = parentElement.querySelector(".microstructures");
  let view = views.get(root);
  const palette = bytes(data.palette);
  if (!view || view.count !== data.tiles.length) {
    view = build(root, data);
    views.set(root, view);
  }
  if (view.scaleKey !== JSON.stringify(data.scale)) {
    drawBar(view, data, palette);
    view.scaleKey = JSON.stringify(data.scale);
  }
  data.tiles.forEach((tile, i) => drawTile(view.tiles[i], tile, data, palette));
  root.dataset.frame = data.frame;
}
