// Candidates while they are denoised, live or played again: their fields, the chosen one as a surface if it is
// three-dimensional, and the curves of what was measured. Called again with new data at every step; nothing is
// built anew while the number of candidates and panels stays the same.

// What the reader set, by run: it outlives the component, which is mounted anew when the page is.
const settings = new Map();

const DEFAULTS = { stretched: false, chosen: null, at: null, soft: false, axis: 0, share: 1, limit: null, camera: null };

function choice(parent, label, options, onChange) {
  const group = element(parent, "div", "choice");
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", label);
  const buttons = options.map((text, i) => {
    const button = element(group, "button", "option", text);
    button.type = "button";
    button.setAttribute("role", "radio");
    button.addEventListener("click", () => onChange(i));
    return button;
  });
  return { group, show: (chosen) => buttons.forEach((b, i) => b.setAttribute("aria-checked", String(i === chosen))) };
}

function slider(parent, label, min, max, step, onInput) {
  const row = element(parent, "label", "slider");
  const name = element(row, "span", "name", label);
  const input = element(row, "input", "range");
  Object.assign(input, { type: "range", min, max, step });
  const value = element(row, "output", "reading");
  input.addEventListener("input", () => onInput(Number(input.value)));
  return { row, name, input, value };
}

function build(root, data) {
  root.replaceChildren();
  const view = {
    tiles: data.tiles.length, panels: data.curves.panels.length, cube: data.cube, player: data.player,
    frame: null, waiting: [], playing: null,
  };
  const redraw = () => view.draw();
  const set = (changes) => {
    Object.assign(view.set, changes);
    redraw();
  };
  const stage = element(root, "div", "stage");
  const fields = element(stage, "div", "fields");
  if (data.cube) buildFocus(view, element(fields, "div", "focus"), set);
  view.grid = element(fields, "div", "grid");
  view.parts = data.tiles.map((tile, i) =>
    buildTile(view.grid, tile.number, () => {
      const chosen = view.set.chosen === i && !data.cube ? null : i;
      set({ chosen, limit: null });
      if (data.cube) view.tell("focus", chosen);
    }));
  const scale = element(fields, "div", "scale");
  element(scale, "span", "title", "Young’s modulus, GPa");
  const bar = element(scale, "div", "bar");
  view.ramp = element(bar, "canvas", "ramp");
  view.ramp.setAttribute("aria-hidden", "true");
  view.ticks = element(bar, "div", "ticks");
  view.mode = choice(scale, "Colour scale", ["Fixed", "Stretched"], (i) => set({ stretched: i === 1 }));
  view.mode.group.title = "Fixed: the same colours at every step. Stretched: from the least to the largest value shown now.";
  const side = element(stage, "div", "lines");
  const colours = data.curves.colours;
  const height = data.curves.panels.length > 2 ? 110 : 165;
  view.charts = data.curves.panels.map((panel) => buildPanel(side, panel, colours, height));
  element(side, "div", "below", "Denoising step · press a candidate to follow it");
  if (data.player) buildPlayer(view, element(root, "div", "player"), set);
  return view;
}

function buildFocus(view, parent, set) {
  view.focus = element(parent, "div", "surface");
  view.focus.setAttribute("role", "img");
  view.focusNote = element(parent, "div", "focus-note");
  const controls = element(parent, "div", "controls");
  view.phase = choice(controls, "Phase shown", ["Stiff phase", "Soft phase"], (i) => set({ soft: i === 1 }));
  view.axis = choice(controls, "Direction of the cut", ["x", "y", "z"], (i) => set({ axis: i }));
  view.cut = slider(controls, "Cut", 0.05, 1, 0.01, (share) => set({ share }));
  view.limit = slider(controls, "Surface at", 0, 255, 1, (code) => set({ limit: modulusOf(view.shownTile, code) }));
  const buttons = element(controls, "div", "buttons");
  const automatic = element(buttons, "button", "small", "Automatic surface");
  const reset = element(buttons, "button", "small", "Reset view");
  automatic.type = reset.type = "button";
  automatic.title = "The modulus that parts the field best into two phases";
  automatic.addEventListener("click", () => set({ limit: null }));
  reset.addEventListener("click", () => view.surface && standardView(view.surface, view.volumeShape));
}

function buildPlayer(view, parent, set) {
  const button = element(parent, "button", "play", "Play");
  button.type = "button";
  const position = slider(parent, "Step", 0, 1, 1, (at) => { stop(); set({ at }); });
  position.input.setAttribute("aria-label", "Denoising step shown");
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    const last = view.data.frames.length - 1;
    if (view.set.at >= last) set({ at: 0 });
    button.textContent = "Pause";
    timer = setInterval(() => (view.set.at >= last ? stop() : set({ at: view.set.at + 1 })), 120);
  });
  view.position = position;
  view.stop = stop;
}

function draw(root, view) {
  const { data, set } = view;
  const last = data.frames.length - 1;
  const at = Math.min(last, set.at ?? last);
  const frame = data.player ? data.frames[at] : view.frame;
  const range = colourRange(data, frame, set.stretched);
  view.mode.show(set.stretched ? 1 : 0);
  drawBar(view, range, view.palette);
  frame.tiles.forEach((tile, i) => {
    drawTile(view.parts[i], tile, data, range, view.palette);
    view.parts[i].tile.title = data.tiles[i].message;
    view.parts[i].tile.setAttribute("aria-pressed", String(i === set.chosen));
  });
  view.charts.forEach((chart, i) => {
    const panel = data.curves.panels[i];
    if (view.drawnCurves !== data.curves.key) drawPanel(chart, panel, data.curves);
    markStep(chart, panel, data.curves, frame.step, set.chosen);
    chart.cursor.setAttribute("visibility", data.player ? "visible" : "hidden");
  });
  view.drawnCurves = data.curves.key;
  if (data.cube) drawFocus(view, frame, range);
  view.drawn = pictureOf(view);
  if (data.player) {
    set.at = at;
    view.position.input.max = last;
    view.position.input.value = at;
    view.position.value.textContent = `${frame.step} of ${data.curves.steps}`;
  }
  root.dataset.frame = frame.step;
  root.dataset.cube = String(Boolean(data.cube));
}

function drawFocus(view, frame, range) {
  const { data, set } = view;
  const tile = frame.tiles[frame.focus];
  const drawable = Boolean(frame.volume) && tile.low !== null;
  view.phase.show(set.soft ? 1 : 0);
  view.axis.show(set.axis);
  view.cut.input.value = set.share;
  view.cut.value.textContent = set.share < 1 ? `${Math.round(100 * set.share)} %` : "none";
  const hint = view.surface ? `Candidate ${frame.focus + 1} · drag to turn, scroll to zoom` : "Loading the 3D view …";
  view.focusNote.textContent = view.failure ?? (drawable ? hint : "This candidate has no field at this step.");
  view.focus.parentElement.hidden = Boolean(data.image);
  if (!drawable || data.image) return;
  const codes = bytes(frame.volume);
  const span = Math.log(tile.high / tile.low);
  const asked = set.limit === null ? null : (255 * Math.log(set.limit / tile.low)) / span;
  const limit = Math.min(254.5, Math.max(0.5, asked ?? bestLimit(codes)));
  view.shownTile = tile;
  view.limit.input.value = limit;
  view.limit.value.textContent = `${readable(modulusOf(tile, limit))} GPa`;
  view.volumeShape = data.volumeShape;
  const look = { limit, soft: set.soft, cut: set.share < 1 ? set : null, camera: set.camera };
  const table = colourTable(tile, range, view.palette);
  view.focus.setAttribute("aria-label", `Surface of candidate ${frame.focus + 1} at ${view.limit.value.textContent}`);
  const show = () => {
    if (view.surface.placed) set.camera = savedCamera(view.surface);
    const points = drawSurface(view.surface, codes, data.volumeShape, look, table);
    view.focus.dataset.points = points;
  };
  if (view.surface) return show();
  if (view.loading || view.failure) return;
  if (!webglWorks()) return giveUp(view, new Error("WebGL is switched off"));
  view.loading = true;
  loadVtk(data.vtk)
    .then((vtk) => {
      if (!view.focus.isConnected) return;
      view.surface = buildSurface(vtk, view.focus);
      view.draw();
    })
    .catch((error) => giveUp(view, error))
    .finally(() => (view.loading = false));
}

// The server may draw pictures instead.
function giveUp(view, error) {
  view.failure = `This browser cannot show surfaces (${error.message}); the cubes show the fields.`;
  view.focusNote.textContent = view.failure;
  view.tell("webgl", false);
}

// Live frames come in handfuls; each is shown for its share of the time until the next handful.
const HANDFUL_MS = 400;
const WAITING = 40;
// What was pressed is answered before the next picture, which would keep the browser busy.
const ANSWER_MS = 500;
let pressed = -Infinity;
for (const kind of ["pointerdown", "keydown"]) {
  document.addEventListener(kind, () => (pressed = performance.now()), { capture: true, passive: true });
}

function enqueue(view, frames) {
  const known = view.waiting.at(-1)?.step ?? view.frame?.step ?? 0;
  if (frames.at(-1).step < known) Object.assign(view, { frame: null, waiting: [] }); // the run has begun anew
  const fresh = frames.filter((frame) => !view.frame || frame.step > known);
  view.waiting = [...view.waiting, ...fresh].slice(-WAITING);
  view.frame ??= view.waiting.shift() ?? frames.at(-1);
  // The same step with the volume of another candidate.
  view.frame = frames.find((frame) => frame.step === view.frame.step) ?? view.frame;
  if (!view.waiting.length || view.playing) return;
  const next = () => {
    const answering = pressed + ANSWER_MS - performance.now();
    view.playing = answering > 0 ? setTimeout(next, answering) : null;
    if (view.playing || !view.waiting.length) return;
    view.playing = setTimeout(next, HANDFUL_MS / (view.waiting.length + 1));
    view.frame = view.waiting.shift();
    view.draw();
  };
  next();
}

const pictureOf = ({ frame, data }) => `${frame?.step} ${frame?.focus} ${data.image}`;

const views = new WeakMap();

export default function (component) {
  const { data, parentElement } = component;
  if (!data) return;
  const root = parentElement.querySelector(".denoising");
  let view = views.get(root);
  if (!view || view.tiles !== data.tiles.length || view.panels !== data.curves.panels.length ||
      view.cube !== data.cube || view.player !== data.player) {
    if (view?.surface) dropSurface(view.surface);
    view = build(root, data);
    view.palette = bytes(data.palette);
    view.draw = () => draw(root, view);
    if (!settings.has(data.key)) settings.set(data.key, { ...DEFAULTS, chosen: data.cube ? data.focus : null });
    view.set = settings.get(data.key);
    views.set(root, view);
  }
  view.data = data;
  if (!data.player) enqueue(view, data.frames);
  view.tell = (name, value) => component.setStateValue(name, value);
  root.style.setProperty("--columns", data.columns);
  // A surface takes the browser long: not for the same picture once more.
  if (!data.cube || data.player || view.drawn !== pictureOf(view)) view.draw();
  // Called when new data arrive too: only a component that has left the page gives its context back.
  return () => setTimeout(() => {
    if (root.isConnected) return;
    view.stop?.();
    clearTimeout(view.playing);
    if (view.surface) dropSurface(view.surface);
    view.surface = null;
    views.delete(root);
  });
}
