// Scenes that were built by PyVista (relaxdesign/scene), drawn by vtk.js: meshes, light and camera are those of the
// stills. One viewer shows one scene after the other and keeps its camera.

let vtkLoading = null;

// vtk.js comes once per page, from the app's own files.
function loadVtk(address) {
  if (window.vtk) return Promise.resolve(window.vtk);
  vtkLoading ??= fetch(new URL(address, document.baseURI))
    .then((answer) => (answer.ok ? answer.text() : Promise.reject(new Error(`HTTP ${answer.status}`))))
    .then((text) => new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      script.onload = () => (window.vtk ? resolve(window.vtk) : reject(new Error("no vtk")));
      script.onerror = () => reject(new Error("vtk.js cannot be run"));
      document.head.appendChild(script);
    }));
  return vtkLoading;
}

let glKnown;

// Who draws WebGL here; null without it.
function glRenderer() {
  if (glKnown !== undefined) return glKnown;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("webgl2") ?? canvas.getContext("webgl");
  const told = context?.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL;
  glKnown = context ? String(context.getParameter(told ?? context.RENDERER)) : null;
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return glKnown;
}

// The processor draws, which a run needs more.
const drawsInSoftware = () => /swiftshader|llvmpipe|softpipe|software|basic render/i.test(glRenderer() ?? "");

// The bytes that a text in base 64 stands for. Scenes are long: older browsers' way takes as long as drawing them.
function unpacked(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const fraction = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);

// A CSS colour of the theme as three numbers.
function backgroundOf(node) {
  const paint = document.createElement("canvas").getContext("2d");
  paint.fillStyle = getComputedStyle(node).getPropertyValue("--st-background-color").trim() || "#ffffff";
  return fraction(paint.fillStyle);
}

function buildViewer(vtk, container) {
  const view = vtk.Rendering.Misc.vtkGenericRenderWindow.newInstance({ background: backgroundOf(container) });
  view.setContainer(container);
  const renderer = view.getRenderer();
  const viewer = { vtk, view, renderer, container, placed: false, onTurn: null, moving: [] };
  viewer.watch = new ResizeObserver(() => view.resize());
  viewer.watch.observe(container);
  renderer.getActiveCamera().onModified(() => viewer.onTurn?.(renderer.getActiveCamera()));
  // The wheel scrolls the page until the picture was chosen.
  container.tabIndex = 0;
  container.addEventListener("pointerdown", () => container.focus({ preventScroll: true }), { capture: true });
  container.addEventListener("wheel", (event) => {
    if (container.getRootNode().activeElement !== container) event.stopImmediatePropagation();
  }, { capture: true });
  container.addEventListener("keydown", (event) => turnByKey(viewer, event));
  return viewer;
}

function turnByKey(viewer, event) {
  const camera = viewer.renderer.getActiveCamera();
  const turns = {
    ArrowLeft: () => camera.azimuth(7), ArrowRight: () => camera.azimuth(-7),
    ArrowUp: () => camera.elevation(-5), ArrowDown: () => camera.elevation(5),
    "+": () => camera.dolly(1.1), "-": () => camera.dolly(1 / 1.1),
  };
  if (!turns[event.key]) return;
  event.preventDefault();
  turns[event.key]();
  camera.orthogonalizeViewUp();
  show(viewer);
}

function show(viewer) {
  viewer.renderer.resetCameraClippingRange();
  viewer.view.getRenderWindow().render();
}

function meshOf(vtk, layer) {
  const quantised = new Uint16Array(unpacked(layer.points).buffer);
  const points = new Float32Array(quantised.length);
  for (let i = 0; i < points.length; i++) points[i] = layer.corner[i % 3] + (layer.span * quantised[i]) / 65535;
  const corners = new (layer.wide ? Uint32Array : Uint16Array)(unpacked(layer.triangles).buffer);
  const triangles = new Uint32Array((4 * corners.length) / 3);
  for (let i = 0, place = 0; i < corners.length; i += 3) {
    triangles[place++] = 3;
    for (let corner = 0; corner < 3; corner++) triangles[place++] = corners[i + corner];
  }
  const mesh = vtk.Common.DataModel.vtkPolyData.newInstance();
  mesh.getPoints().setData(points, 3);
  mesh.getPolys().setData(triangles);
  const array = (name, values) => vtk.Common.Core.vtkDataArray.newInstance({ name, values, numberOfComponents: 3 });
  const normals = Float32Array.from(new Int8Array(unpacked(layer.normals).buffer), (value) => value / 127);
  mesh.getPointData().setNormals(array("Normals", normals));
  const moves = layer.moves && Float32Array.from(new Int16Array(unpacked(layer.moves).buffer),
    (value) => (layer.reach * value) / 32767);
  if (!layer.colours) return { mesh, moves, byTriangle: false };
  const colours = unpacked(layer.colours);
  const byTriangle = colours.length !== points.length;
  (byTriangle ? mesh.getCellData() : mesh.getPointData()).setScalars(array("colour", colours));
  return { mesh, moves, byTriangle };
}

function mapperOf(viewer, layer) {
  const { vtk } = viewer, { mesh, moves, byTriangle } = meshOf(vtk, layer);
  if (moves) viewer.moving.push({ mesh, moves, still: mesh.getPoints().getData().slice() });
  const mapper = vtk.Rendering.Core.vtkMapper.newInstance();
  mapper.setColorModeToDirectScalars();
  mapper.setScalarVisibility(Boolean(layer.colours));
  if (byTriangle) mapper.setScalarModeToUseCellData();
  else mapper.setScalarModeToUsePointData();
  mapper.setInputData(mesh);
  return mapper;
}

function actorOf(vtk, layer, mapper) {
  const actor = vtk.Rendering.Core.vtkActor.newInstance();
  actor.setMapper(mapper);
  const property = actor.getProperty();
  property.setAmbient(layer.finish.ambient);
  property.setDiffuse(layer.finish.diffuse);
  property.setSpecular(layer.finish.specular);
  property.setSpecularPower(layer.finish.power);
  property.setOpacity(layer.opacity);
  if (layer.colour) property.setColor(...fraction(layer.colour));
  return actor;
}

// The twelve edges of the cell.
function outlineOf(vtk, scene) {
  const [nx, ny, nz] = scene.size;
  const corners = [], lines = [];
  for (let c = 0; c < 8; c++) {
    corners.push(c & 1 ? nx : 0, c & 2 ? ny : 0, c & 4 ? nz : 0);
    for (const bit of [1, 2, 4]) if (!(c & bit)) lines.push(2, c, c | bit);
  }
  const cell = vtk.Common.DataModel.vtkPolyData.newInstance();
  cell.getPoints().setData(Float32Array.from(corners), 3);
  cell.getLines().setData(Uint32Array.from(lines));
  const mapper = vtk.Rendering.Core.vtkMapper.newInstance();
  mapper.setInputData(cell);
  const actor = vtk.Rendering.Core.vtkActor.newInstance();
  actor.setMapper(mapper);
  actor.getProperty().setColor(...fraction(scene.outline));
  actor.getProperty().setLighting(false);
  return actor;
}

function light(vtk, renderer, lights) {
  renderer.removeAllLights();
  for (const { position, intensity } of lights) {
    const lamp = vtk.Rendering.Core.vtkLight.newInstance({ position, intensity, focalPoint: [0, 0, 0] });
    lamp.setLightTypeToCameraLight();
    renderer.addLight(lamp);
  }
}

// Draws a scene; the camera stays where it is, at first where it was saved or where the scene puts it.
function drawScene(viewer, scene, camera = null) {
  const { vtk, renderer } = viewer;
  renderer.removeAllActors();
  viewer.moving = [];
  let points = 0;
  for (const layer of scene.layers) {
    const mapper = mapperOf(viewer, layer);
    points += mapper.getInputData().getPoints().getNumberOfPoints();
    for (const corner of scene.corners) {
      const actor = actorOf(vtk, layer, mapper);
      actor.setPosition(...corner);
      actor.setScale(scene.share, scene.share, scene.share);
      renderer.addActor(actor);
    }
  }
  renderer.addActor(outlineOf(vtk, scene));
  if (!viewer.placed) {
    viewer.placed = true;
    light(vtk, renderer, scene.lights);
    placeCamera(viewer, camera ?? scene.camera);
  }
  show(viewer);
  return points;
}

// Moves the points of what deforms by a share of their way.
function deform(viewer, share) {
  for (const { mesh, moves, still } of viewer.moving) {
    const points = mesh.getPoints(), places = points.getData();
    for (let i = 0; i < places.length; i++) places[i] = still[i] + share * moves[i];
    points.modified();
    mesh.modified();
  }
  show(viewer);
}

function placeCamera(viewer, { position, focus, up, angle }) {
  const camera = viewer.renderer.getActiveCamera();
  camera.setPosition(...position);
  camera.setFocalPoint(...focus);
  camera.setViewUp(...up);
  camera.setViewAngle(angle);
}

function savedCamera(viewer) {
  const camera = viewer.renderer.getActiveCamera();
  return { position: camera.getPosition(), focus: camera.getFocalPoint(), up: camera.getViewUp(),
           angle: camera.getViewAngle() };
}

function canvasOf(viewer) {
  return viewer.view.getApiSpecificRenderWindow().getCanvas();
}

function dropViewer(viewer) {
  viewer.watch.disconnect();
  viewer.view.delete();
}
