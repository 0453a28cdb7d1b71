// Candidates while they are denoised, live or played again: their fields or, of three-dimensional ones, pictures of
// their forming phase, the chosen one as a scene to be turned, and the curves of what was measured. Called again with
// new data at every step; nothing is built anew while the number of candidates and panels stays the same.

// What the reader set, by run: it outlives the component, which is mounted anew when the page is.
const settings = new Map();

// Which folds of curves are open, by run and target.
const opened = new Map();
const OPEN_FOLDS = 2;

const DEFAULTS = { stretched: false, chosen: null, at: null, soft: false, axis: 0, share: 1, limit: null, tiled: false,
                   camera: null };
// What the server must know to build the scenes.
const SHOWN = ["stretched", "soft", "axis", "share", "limit", "tiled"];
const shownOf = (set) => Object.fromEntries(SHOWN.map((name) => [name, set[name]]));

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

function toggle(parent, label, title, onChange) {
  const button = element(parent, "button", "small toggle", label);
  Object.assign(button, { type: "button", title });
  button.addEventListener("click", () => onChange(button.getAttribute("aria-pressed") !== "true"));
  return { button, show: (on) => button.setAttribute("aria-pressed", String(on)) };
}

// onChange: when it is let go; onInput: while it is moved.
function slider(parent, label, min, max, step, onChange, onInput = onChange) {
  const row = element(parent, "label", "slider");
  const name = element(row, "span", "name", label);
  const input = element(row, "input", "range");
  Object.assign(input, { type: "range", min, max, step });
  const value = element(row, "output", "reading");
  input.addEventListener("input", () => onInput(Number(input.value)));
  if (onInput !== onChange) input.addEventListener("change", () => onChange(Number(input.value)));
  return { row, name, input, value };
}

function build(root, data) {
  root.replaceChildren();
  const view = {
    tiles: data.tiles.length, panels: data.curves.panels.length, cube: data.cube, player: data.player,
    frame: null, waiting: [], playing: null, fresh: true,
  };
  const set = (changes) => {
    Object.assign(view.set, changes);
    if (view.cube && SHOWN.some((name) => name in changes)) view.tell("view", shownOf(view.set));
    view.draw();
  };
  const stage = element(root, "div", "stage");
  const fields = element(stage, "div", "fields");
  const tiling = (parent) => (view.tiling = toggle(parent, `Tile ${data.tiling.words}`,
    "The cell is periodic: repeated, it shows the material that is made of it.", (tiled) => set({ tiled })));
  if (data.cube) buildFocus(view, element(fields, "div", "focus"), set, tiling);
  view.grid = element(fields, "div", "grid");
  view.parts = data.tiles.map((tile, i) =>
    buildTile(view.grid, tile.number, () => {
      const chosen = view.set.chosen === i && !data.cube ? null : i;
      set({ chosen, limit: null });
      if (data.cube) view.tell("focus", chosen);
    }));
  const scale = element(fields, "div", "scale");
  view.scaleTitle = element(scale, "span", "title");
  const bar = element(scale, "div", "bar");
  view.ramp = element(bar, "canvas", "ramp");
  view.ramp.setAttribute("aria-hidden", "true");
  view.ticks = element(bar, "div", "ticks");
  view.mode = choice(scale, "Colour scale", ["Fixed", "Stretched"], (i) => set({ stretched: i === 1 }));
  view.mode.group.title = "Fixed: the same colours at every step. Stretched: from the least to the largest value shown now.";
  if (!data.cube) tiling(scale);
  const side = element(stage, "div", "lines");
  const colours = data.curves.colours;
  const height = data.curves.panels.length > 2 ? 110 : 165;
  const losses = data.curves.panels.findIndex((panel) => panel.floor !== null);
  const folds = new Map();
  view.charts = data.curves.panels.map((panel, i) => {
    if (data.polar && i === losses) view.polar = buildPolar(side, data.polar, colours);
    return buildPanel(foldOf(side, folds, panel.fold, data.key), panel, colours, height);
  });
  if (data.polar) view.polar ??= buildPolar(side, data.polar, colours); // no loss is known yet
  element(side, "div", "below", "Denoising step · press a candidate to follow it");
  if (data.player) buildPlayer(view, element(root, "div", "player"), set);
  else view.progress = element(root, "div", "unseen");
  view.progress?.setAttribute("role", "status");
  return view;
}

// What belongs to one of several targets folds together: the first ones are open until the reader decides.
function foldOf(side, folds, name, run) {
  if (!name) return side;
  if (folds.has(name)) return folds.get(name);
  const fold = element(side, "details", "fold");
  element(fold, "summary", "", name);
  const key = `${run} ${name}`;
  fold.open = opened.get(key) ?? folds.size < OPEN_FOLDS;
  fold.addEventListener("toggle", () => opened.set(key, fold.open));
  folds.set(name, fold);
  return fold;
}

function buildFocus(view, parent, set, tiling) {
  view.stand = parent;
  view.focus = element(parent, "div", "surface");
  view.focus.setAttribute("role", "img");
  view.still = element(parent, "button", "still");
  view.still.type = "button";
  view.still.hidden = true;
  view.picture = element(view.still, "img", "focus-picture");
  for (const kind of ["pointerdown", "click"]) view.still.addEventListener(kind, () => turn(view));
  for (const kind of ["pointerdown", "pointermove", "wheel", "keydown"])
    parent.addEventListener(kind, () => restLater(view), { capture: true, passive: true });
  view.focusNote = element(parent, "div", "focus-note");
  const controls = element(parent, "div", "controls");
  view.phase = choice(controls, "Phase shown", ["Stiff phase", "Soft phase"], (i) => set({ soft: i === 1 }));
  view.axis = choice(controls, "Direction of the cut", ["x", "y", "z"], (i) => set({ axis: i }));
  const share = (value) => (view.cut.value.textContent = value < 1 ? `${Math.round(100 * value)} %` : "none");
  view.cut = slider(controls, "Cut", 0.05, 1, 0.01, (value) => set({ share: value }), share);
  const modulus = (code) => modulusOf(focusTile(view), code);
  view.limit = slider(controls, "Surface at", 0, 255, 1, (code) => set({ limit: modulus(code) }),
    (code) => (view.limit.value.textContent = modulusText(view.data, modulus(code))));
  const buttons = element(controls, "div", "buttons");
  tiling(buttons);
  const automatic = element(buttons, "button", "small", "Automatic surface");
  const reset = element(buttons, "button", "small", "Reset view");
  automatic.type = reset.type = "button";
  automatic.title = "The modulus that parts the field best into two phases";
  automatic.addEventListener("click", () => set({ limit: null }));
  reset.addEventListener("click", () => {
    if (!view.viewer) return tellShown(view, { camera: (view.set.camera = null) });
    placeCamera(view.viewer, view.scene.camera);
    show(view.viewer);
  });
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
  view.tiling.show(set.tiled);
  view.readings = frame.readings;
  view.scaleTitle.textContent = `Young’s modulus, ${data.modulus.unit}`;
  drawBar(view, range, view.palette);
  if (frame.pictures) view.pictures = frame.pictures;
  if (frame.meshes) view.meshes = frame.meshes;
  frame.tiles.forEach((tile, i) => {
    drawTile(view, i, tile, range);
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
  if (view.polar) drawPolar(view.polar, frame.polar, set.chosen);
  if (data.cube) drawFocus(view, frame);
  view.drawn = pictureOf(view);
  if (data.player) {
    set.at = at;
    view.position.input.max = last;
    view.position.input.value = at;
    view.position.value.textContent = `${frame.step} of ${data.curves.steps}`;
  }
  if (view.progress) tellProgress(view, frame.step, data.curves.steps);
  root.dataset.frame = frame.step;
  root.dataset.cube = String(Boolean(data.cube));
}

// For screen readers, at every quarter of a run.
function tellProgress(view, step, steps) {
  const quarter = Math.floor((4 * step) / steps);
  if (quarter === view.quarter) return;
  view.quarter = quarter;
  view.progress.textContent = `Step ${step} of ${steps}`;
}

const focusTile = (view) => (view.data.player ? view.data.frames[view.set.at ?? 0] : view.frame).tiles[view.data.focus];

function drawFocus(view, frame) {
  const { data, set, shown } = view;
  const tile = frame.tiles[data.focus];
  // A step whose scene or picture did not come along shows the one before.
  if (shown.draws && frame.scene) Object.assign(view, { scene: frame.scene, limitShown: frame.limit });
  if (!shown.draws && frame.still) {
    view.limitShown = frame.still.limit;
    showStill(view, frame.still);
  }
  view.phase.show(set.soft ? 1 : 0);
  view.axis.show(set.axis);
  view.cut.input.value = set.share;
  view.cut.value.textContent = set.share < 1 ? `${Math.round(100 * set.share)} %` : "none";
  view.focusNote.textContent = view.failure ?? (tile.low === null ? "This candidate has no field at this step." : hint(view));
  if (tile.low === null || !view.limitShown) return;
  const span = Math.log(tile.high / tile.low);
  view.limit.input.value = span ? (255 * Math.log(view.limitShown / tile.low)) / span : 127;
  view.limit.value.textContent = modulusText(data, view.limitShown);
  const label = `Surface of candidate ${data.focus + 1} at ${view.limit.value.textContent}`;
  view.focus.setAttribute("aria-label", label);
  view.picture.alt = label;
  if (!shown.draws || !view.scene) return;
  withViewer(view, () => {
    if (view.viewer.placed) set.camera = savedCamera(view.viewer);
    if (view.viewer.shown !== view.scene) view.focus.dataset.points = drawScene(view.viewer, view.scene, set.camera);
    view.viewer.shown = view.scene;
    view.stand.dataset.scene = frame.step;
  });
}

function hint({ data, viewer, shown, failure }) {
  const what = `Candidate ${data.focus + 1}`;
  if (!shown.draws) return failure ? what : `${what} · press the picture to turn it`;
  return viewer ? `${what} · drag to turn, click and scroll to zoom` : "Loading the 3D view …";
}

// The server's picture takes the place of the scene as soon as it is there.
function showStill(view, still) {
  if (view.stillShown === still.image && !view.still.hidden) return;
  view.stillShown = still.image;
  view.picture.onload = () => {
    if (view.shown.draws) return;
    view.still.hidden = false;
    view.focus.hidden = true;
    dropViewers(view);
    view.stand.dataset.scene = still.step;
  };
  view.picture.src = `data:image/webp;base64,${still.image}`;
}

// ---- Where WebGL is drawn in software, beside a run that needs the processor: pictures, and a scene to be turned ----

const REST_MS = 8000; // after it was touched last, the scene is a picture again

function tellShown(view, changes) {
  Object.assign(view.shown, changes);
  view.tell("shown", { ...view.shown });
}

function turn(view) {
  if (view.failure || view.shown.draws) return;
  view.scene = null; // of an earlier step, or of another candidate
  tellShown(view, { draws: true });
  view.draw();
  restLater(view);
}

function restLater(view) {
  if (!view.rests || !view.shown.draws) return;
  clearTimeout(view.resting);
  view.resting = setTimeout(() => {
    if (view.viewer) view.set.camera = savedCamera(view.viewer);
    tellShown(view, { draws: false, camera: view.set.camera });
  }, REST_MS);
}

// Why this browser cannot turn scenes, if it cannot.
const lacking = (data) => (!data.vtk ? "its 3D library is missing" : glRenderer() ? null : "WebGL is switched off");
const failed = (why) => `This browser cannot turn scenes (${why}); the server draws them.`;

function startFocus(view, data) {
  const lacks = lacking(data);
  if (lacks) view.failure = failed(lacks);
  view.rests = !lacks && !data.player && data.stills && drawsInSoftware();
  const draws = !lacks && !view.rests;
  view.shown = { draws, camera: draws ? null : view.set.camera };
  view.still.disabled = Boolean(lacks);
  if (JSON.stringify(view.shown) !== JSON.stringify(data.shown)) tellShown(view, {});
}

// Calls draw with the viewer there, now or as soon as vtk.js has come.
function withViewer(view, draw) {
  if (view.viewer) return draw();
  if (view.loading || view.failure) return;
  view.loading = true;
  loadVtk(view.data.vtk)
    .then((vtk) => {
      if (!view.focus.isConnected || !view.shown.draws) return;
      view.focus.hidden = false;
      view.still.hidden = true;
      view.viewer = buildViewer(vtk, view.focus);
      // Prints scenes that the server cannot draw onto the tiles.
      if (view.meshes) view.press = buildViewer(vtk, element(view.grid, "div", "press"));
      view.draw();
    })
    .catch((error) => {
      view.failure = failed(error.message);
      view.still.disabled = true;
      tellShown(view, { draws: false });
      view.draw();
    })
    .finally(() => (view.loading = false));
}

function dropViewers(view) {
  for (const viewer of [view.viewer, view.press]) if (viewer) dropViewer(viewer);
  Object.assign(view, { viewer: null, press: null });
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
  // The same step with pictures that were drawn meanwhile, or the scene of another candidate.
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

const pictureOf = ({ frame, data }) => `${frame?.step} ${data.focus} ${frame?.token}`;

const views = new WeakMap();

export default function (component) {
  const { data, parentElement } = component;
  if (!data) return;
  const root = parentElement.querySelector(".denoising");
  let view = views.get(root);
  if (!view || view.tiles !== data.tiles.length || view.panels !== data.curves.panels.length ||
      view.cube !== data.cube || view.player !== data.player) {
    if (view) dropViewers(view);
    view = build(root, data);
    view.palette = unpacked(data.palette);
    view.draw = () => draw(root, view);
    if (!settings.has(data.key)) settings.set(data.key, { ...DEFAULTS, chosen: data.cube ? data.focus : null });
    view.set = settings.get(data.key);
    views.set(root, view);
  }
  view.data = data;
  view.tell = (name, value) => component.setStateValue(name, value);
  if (view.fresh && data.cube) startFocus(view, data);
  if (!data.player) enqueue(view, data.frames); // draws at once if several came
  if (view.fresh && data.cube && JSON.stringify(shownOf(view.set)) !== JSON.stringify(data.view))
    view.tell("view", shownOf(view.set));
  view.fresh = false;
  root.style.setProperty("--columns", data.columns);
  // A scene takes the browser long: not for the same picture once more.
  if (!data.cube || data.player || view.drawn !== pictureOf(view)) view.draw();
  // Called when new data arrive too: only a component that has left the page gives its context back.
  return () => setTimeout(() => {
    if (root.isConnected) return;
    view.stop?.();
    clearTimeout(view.playing);
    clearTimeout(view.resting);
    dropViewers(view);
    views.delete(root);
  });
}
