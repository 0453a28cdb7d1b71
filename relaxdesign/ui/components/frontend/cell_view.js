// A cell in 3D: a scene of PyVista that is turned in the browser, with its axes and the scale of its colours. The
// camera is kept by key when the component is made anew or shows another scene.

const remembered = new Map();
const views = new WeakMap();

function part(parent, tag, className = "", text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  parent.appendChild(node);
  return node;
}

function makeAxes(stage) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "axes");
  svg.setAttribute("viewBox", "-36 -36 72 72");
  svg.setAttribute("aria-hidden", "true");
  const axes = ["x", "y", "z"].map((name) => {
    const line = document.createElementNS(space, "line");
    const text = document.createElementNS(space, "text");
    text.textContent = name;
    svg.append(line, text);
    return { line, text };
  });
  stage.appendChild(svg);
  return axes;
}

function turnAxes(axes, camera) {
  const seen = camera.getViewMatrix(); // columns are stored one after the other
  axes.forEach(({ line, text }, i) => {
    const [x, y] = [26 * seen[i], -26 * seen[i + 4]];
    line.setAttribute("x2", 0.75 * x);
    line.setAttribute("y2", 0.75 * y);
    text.setAttribute("x", 1.05 * x);
    text.setAttribute("y", 1.05 * y);
  });
}

function makeLegend(legend, scale) {
  legend.replaceChildren();
  if (!scale) return;
  part(legend, "span", "title", scale.title);
  const bar = part(legend, "div", "bar");
  const ramp = part(bar, "canvas");
  [ramp.width, ramp.height] = [256, 1];
  const image = new ImageData(256, 1), palette = unpacked(scale.palette);
  for (let i = 0; i < 256; i++) image.data.set([...palette.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  ramp.getContext("2d").putImageData(image, 0, 0);
  const ticks = part(bar, "div");
  for (const [position, label] of scale.ticks) part(ticks, "span", "tick", label).style.left = `${100 * position}%`;
}

function build(root) {
  root.replaceChildren();
  const stage = part(root, "div", "stage");
  const view = { root, stage, scene: part(stage, "div", "scene"), axes: makeAxes(stage), viewer: null };
  view.scene.setAttribute("role", "img");
  part(stage, "button", "reset", "Reset view").onclick = () => {
    if (!view.viewer) return;
    placeCamera(view.viewer, view.data.scene.camera);
    show(view.viewer);
  };
  view.deform = part(stage, "button", "reset deform", "Deform");
  view.deform.title = "Draws how the cell deforms, exaggerated";
  view.deform.onclick = () => play(view, view.deform.getAttribute("aria-pressed") !== "true");
  view.legend = part(root, "div", "legend");
  return view;
}

const CYCLE_MS = 2400;

// To and fro until it is pressed again; where motion is not wanted the cell stays deformed.
function play(view, on) {
  view.deform.setAttribute("aria-pressed", String(on));
  cancelAnimationFrame(view.playing);
  if (!view.viewer) return;
  if (!on) return deform(view.viewer, 0);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return deform(view.viewer, 1);
  const since = performance.now();
  const next = (now) => {
    if (!view.viewer || !view.scene.isConnected) return;
    deform(view.viewer, (1 - Math.cos((2 * Math.PI * (now - since)) / CYCLE_MS)) / 2);
    view.playing = requestAnimationFrame(next);
  };
  view.playing = requestAnimationFrame(next);
}

function update(view, data, component) {
  view.data = data;
  view.stage.style.setProperty("--stage-height", `${data.height}px`);
  view.scene.setAttribute("aria-label", data.label);
  makeLegend(view.legend, data.scale);
  if (view.viewer) return draw(view);
  const fail = (error) => {
    view.stage.replaceChildren(Object.assign(document.createElement("p"), {
      className: "failed", textContent: `This browser cannot turn 3D scenes (${error.message}).`,
    }));
    component.setStateValue("webgl", false);
  };
  if (!glRenderer()) return fail(new Error("WebGL is switched off"));
  loadVtk(data.vtk)
    .then((vtk) => {
      if (!view.scene.isConnected || view.viewer) return;
      view.viewer = buildViewer(vtk, view.scene);
      view.viewer.onTurn = (camera) => {
        turnAxes(view.axes, camera);
        if (view.viewer.placed) remembered.set(view.data.key, savedCamera(view.viewer));
      };
      draw(view);
    })
    .catch(fail);
}

function draw(view) {
  const camera = remembered.get(view.data.key) ?? null;
  view.root.dataset.points = drawScene(view.viewer, view.data.scene, camera);
  view.deform.hidden = !view.viewer.moving.length;
  if (view.deform.getAttribute("aria-pressed") === "true") play(view, !view.deform.hidden);
  turnAxes(view.axes, view.viewer.renderer.getActiveCamera());
}

export default function (component) {
  const { data, parentElement } = component;
  if (!data) return;
  const root = parentElement.querySelector(".cell-view");
  let view = views.get(root);
  if (!view) {
    view = build(root);
    views.set(root, view);
  }
  if (view.token !== data.token) {
    view.token = data.token;
    update(view, data, component);
  }
  return () => setTimeout(() => {
    if (root.isConnected) return;
    cancelAnimationFrame(view.playing);
    if (view.viewer) dropViewer(view.viewer);
    views.delete(root);
  });
}
