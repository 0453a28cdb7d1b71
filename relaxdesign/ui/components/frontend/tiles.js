// The candidates' fields as crisp tiles, and the colour bar they share.

function element(parent, tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  parent.appendChild(node);
  return node;
}

const readable = (value, digits = 3) => String(Number(Number(value).toPrecision(digits)));

// A modulus of a tile's code: logarithmic between the field's own extremes.
const modulusOf = (tile, code) => tile.low * Math.pow(tile.high / tile.low, code / 255);

// Limits of the colours: fixed for a run, or those of the frame that is shown.
function colourRange(data, frame, stretched) {
  const seen = stretched ? frame.tiles.filter((tile) => tile.low !== null) : [];
  if (!seen.length) return { low: data.scale.low, high: data.scale.high, open: true };
  const low = Math.min(...seen.map((tile) => tile.low));
  const high = Math.max(...seen.map((tile) => tile.high), 1.01 * low);
  return { low, high, open: false };
}

// Colours (r, g, b, opacity) of a tile's 256 codes.
function colourTable(tile, range, palette) {
  const table = new Uint8Array(4 * 256);
  const perUnit = 255 / Math.log(range.high / range.low);
  for (let code = 0; code < 256; code++) {
    const position = Math.round(perUnit * Math.log(modulusOf(tile, code) / range.low));
    const index = 4 * Math.min(255, Math.max(0, position));
    table.set(palette.subarray(index, index + 4), 4 * code);
  }
  return table;
}

// One picture as a canvas of its own.
function painted(field, width, height, table) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer), colours = new Uint32Array(table.buffer);
  for (let i = 0; i < field.length; i++) pixels[i] = colours[field[i]];
  context.putImageData(image, 0, 0);
  return canvas;
}

function buildTile(grid, number, onSelect) {
  const tile = element(grid, "button", "tile");
  tile.type = "button";
  const frame = element(tile, "div", "frame");
  const canvas = element(frame, "canvas", "field");
  canvas.setAttribute("aria-hidden", "true");
  const value = element(frame, "span", "value");
  const caption = element(tile, "div", "caption");
  element(caption, "span", "number", number);
  const part = { tile, canvas, value, number, words: element(caption, "div", "words"), told: "" };
  tile.addEventListener("click", onSelect);
  return part;
}

function drawTile(view, index, tile, range) {
  const { data, palette } = view;
  const part = view.parts[index];
  const stopped = tile.low === null;
  if (!stopped && data.cube) drawForming(view, index);
  if (!stopped && !data.cube) drawField(part, tile, data, colourTable(tile, range, palette), view.set.tiled ? data.tiling.times : 1);
  part.tile.dataset.state = stopped ? "stopped" : "ok";
  tellReadings(part, stopped ? [{ name: "", text: "stopped", short: "stopped", off: "", place: null }] : view.readings[index]);
}

// The value of every target, and below it how far off it is: a mark on a line whose middle is the target.
function tellReadings(part, readings) {
  const told = JSON.stringify(readings);
  if (told === part.told) return;
  part.told = told;
  part.words.replaceChildren();
  for (const { name, text, short, off, place, state } of readings) {
    const row = element(part.words, "div", "reading-of");
    element(row, "span", "main", name ? `${name} = ${text}` : text);
    element(row, "span", "main short", short);
    if (off) element(row, "span", "extra", `(${off})`);
    if (place === null) continue;
    const gauge = element(row, "div", "gauge");
    gauge.dataset.state = state;
    element(gauge, "span", "at").style.left = `${50 + 50 * place}%`;
  }
  const words = readings.map(({ name, text, off }) => [name, text, off].filter(Boolean).join(" ")).join("; ");
  part.tile.setAttribute("aria-label", `Candidate ${part.number}: ${words}`);
}

// A modulus in the unit that is shown.
const modulusText = ({ modulus }, value) => `${readable(modulus.times * value)} ${modulus.unit}`;

// times: how often the field is shown along each axis.
function drawField(part, tile, data, table, times) {
  const [width, height] = data.shape, field = unpacked(tile.pixels);
  part.canvas.width = times * width;
  part.canvas.height = times * height;
  const context = part.canvas.getContext("2d"), picture = painted(field, width, height, table);
  for (let i = 0; i < times * times; i++)
    context.drawImage(picture, (i % times) * width, Math.floor(i / times) * height);
  part.canvas.onpointermove = (event) => {
    const box = part.canvas.getBoundingClientRect();
    const along = (share, n) => Math.min(times * n - 1, Math.max(0, Math.floor(share * times * n))) % n;
    const x = along((event.clientX - box.left) / box.width, width);
    const y = along((event.clientY - box.top) / box.height, height);
    part.value.textContent = `E = ${modulusText(data, modulusOf(tile, field[y * width + x]))}`;
    part.value.classList.add("shown");
  };
  part.canvas.onpointerleave = () => part.value.classList.remove("shown");
}

// The forming phase of a candidate: the latest picture that the server has drawn or, where it cannot, its mesh.
function drawForming(view, index) {
  const part = view.parts[index];
  const picture = view.pictures?.[index], mesh = view.meshes?.[index];
  if (picture && picture.image !== part.picture) {
    part.picture = picture.image;
    const image = new Image();
    image.onload = () => putPicture(part, image, image.naturalWidth, picture.step);
    image.src = `data:image/webp;base64,${picture.image}`;
  }
  if (!mesh || mesh === part.mesh || !view.press) return;
  part.mesh = mesh;
  drawScene(view.press, mesh.scene);
  const canvas = canvasOf(view.press);
  putPicture(part, canvas, canvas.width, mesh.step);
}

function putPicture(part, image, size, step) {
  part.canvas.width = part.canvas.height = size;
  part.canvas.getContext("2d").drawImage(image, 0, 0, size, size);
  part.tile.dataset.pictured = step;
}

// Round values between two limits, as many as their labels allow.
function roundTicks(low, high) {
  for (const digits of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]]) {
    const ticks = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++)
      for (const digit of digits) ticks.push(Number((digit * 10 ** e).toPrecision(2)));
    const inside = ticks.filter((tick) => tick >= low && tick <= high);
    if (inside.length >= 3) return inside;
  }
  return [0.1, 0.5, 0.9].map((share) => Number((low * Math.pow(high / low, share)).toPrecision(3)));
}

function drawBar(view, range, palette) {
  view.ramp.width = 256;
  view.ramp.height = 1;
  const context = view.ramp.getContext("2d");
  const row = context.createImageData(256, 1);
  row.data.set(palette);
  context.putImageData(row, 0, 0);
  view.ticks.replaceChildren();
  const place = (value) => Math.log(value / range.low) / Math.log(range.high / range.low);
  const between = roundTicks(range.low, range.high).filter((value) => place(value) > 0.2 && place(value) < 0.8);
  const ends = range.open ? ["≤ ", "≥ "] : ["", ""];
  const labels = [[range.low, ends[0]], ...between.map((value) => [value, ""]), [range.high, ends[1]]];
  for (const [value, sign] of labels) {
    const tick = element(view.ticks, "span", "tick", sign + readable(view.data.modulus.times * value));
    tick.style.left = `${100 * place(value)}%`;
  }
}
