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

// Colour indices of one picture, as a canvas of its own.
function painted(field, width, height, palette) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < field.length; i++) {
    const c = 3 * field[i];
    image.data.set([palette[c], palette[c + 1], palette[c + 2], 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// An isometric cube; the same view as in cube.py. Faces: top (x to the right, y down), x = 1 (y, down), y = 1 (x, down).
const CUBE = 360, EDGE = CUBE / 2, SLOPE = Math.sqrt(3) / 2, SHADOW = [0, 0.28, 0.14];

function drawCube(canvas, field, n, palette) {
  canvas.width = canvas.height = CUBE;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  const [across, down, up] = [(EDGE * SLOPE) / n, EDGE / 2 / n, EDGE / n];
  const views = [
    [across, down, -across, down, EDGE, 0],
    [-across, down, 0, up, EDGE + EDGE * SLOPE, EDGE / 2],
    [across, down, 0, up, EDGE - EDGE * SLOPE, EDGE / 2],
  ];
  views.forEach((view, face) => {
    context.setTransform(...view);
    context.drawImage(painted(field.subarray(face * n * n, (face + 1) * n * n), n, n, palette), 0, 0);
    context.fillStyle = `rgb(0 0 0 / ${SHADOW[face]})`;
    context.fillRect(0, 0, n, n);
  });
}

// Place in the field of a point (0…1, 0…1) of the picture; -1 beside the cube.
function placeInCube(px, py, n) {
  const across = (2 * px - 1) / SLOPE, below = 2 * py - 1;
  const top = [(across + 2 * (below + 1)) / 2, (2 * (below + 1) - across) / 2];
  const right = [1 - across, 1 - ((2 - across) / 2 - below)];
  const left = [1 + across, 1 - ((2 + across) / 2 - below)];
  const inside = ([u, v]) => u >= 0 && u < 1 && v >= 0 && v < 1;
  const face = [top, right, left].findIndex(inside);
  if (face < 0) return -1;
  const [u, v] = [top, right, left][face];
  return face * n * n + Math.floor(v * n) * n + Math.floor(u * n);
}

function drawTile(part, tile, data, palette) {
  const [width, height] = data.shape;
  const field = bytes(tile.pixels);
  if (data.cube) {
    drawCube(part.canvas, field, width, palette);
  } else {
    part.canvas.width = width;
    part.canvas.height = height;
    part.canvas.getContext("2d").drawImage(painted(field, width, height, palette), 0, 0);
  }
  part.canvas.setAttribute("aria-label", `${tile.number}: ${tile.main} ${tile.extra}`);
  part.number.textContent = tile.number;
  part.main.textContent = tile.main;
  part.extra.textContent = tile.extra;
  part.tile.dataset.state = tile.state;
  part.tile.title = tile.message;
  part.canvas.onpointermove = (event) => {
    const box = part.canvas.getBoundingClientRect();
    const px = (event.clientX - box.left) / box.width, py = (event.clientY - box.top) / box.height;
    const x = Math.min(width - 1, Math.max(0, Math.floor(px * width)));
    const y = Math.min(height - 1, Math.max(0, Math.floor(py * height)));
    const place = data.cube ? placeInCube(px, py, width) : y * width + x;
    const { softening, top, unit } = data.scale;
    const modulus = softening * Math.sinh((field[place] / 255) * Math.asinh(top / softening));
    part.value.textContent = `${Number(modulus.toPrecision(2))} ${unit}`;
    part.value.classList.toggle("shown", place >= 0);
  };
  part.canvas.onpointerleave = () => part.value.classList.remove("shown");
}

const views = new WeakMap();

export default function (component) {
  const { data, parentElement } = component;
  if (!data) return;
  const root = parentElement.querySelector(".microstructures");
  root.dataset.cube = Boolean(data.cube);
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
