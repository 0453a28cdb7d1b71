// The chosen three-dimensional field as a surface that can be turned and cut, drawn by vtk.js.
// The surface is that of all voxels stiffer (or softer) than a limit, closed at the cell's walls and at the cut.

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

function webglWorks() {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("webgl2") ?? canvas.getContext("webgl");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(context);
}

// The code that parts the histogram best into two classes (Otsu 1979, doi:10.1109/TSMC.1979.4310076).
function bestLimit(codes) {
  const histogram = new Float64Array(256);
  for (const code of codes) histogram[code]++;
  let total = 0;
  for (let c = 0; c < 256; c++) total += c * histogram[c];
  let below = 0, sum = 0, best = 127, most = -1;
  for (let c = 0; c < 255; c++) {
    below += histogram[c];
    sum += c * histogram[c];
    const above = codes.length - below;
    if (!below || !above) continue;
    const gap = sum / below - (total - sum) / above;
    const between = below * above * gap * gap;
    if (between > most) [most, best] = [between, c];
  }
  return best + 0.5;
}

// Values on a grid padded by one voxel. Voxels beyond a wall or the cut mirror their neighbour about the limit, so
// that the surface closes exactly half a voxel outside.
function padded(codes, [nx, ny, nz], limit, soft, cut) {
  const last = [nx - 1, ny - 1, nz - 1];
  if (cut) last[cut.axis] = Math.max(0, Math.ceil(cut.share * [nx, ny, nz][cut.axis]) - 1);
  const values = new Float32Array((nx + 2) * (ny + 2) * (nz + 2));
  const wanted = soft ? 255 - limit : limit;
  let place = 0;
  for (let k = -1; k <= nz; k++)
    for (let j = -1; j <= ny; j++)
      for (let i = -1; i <= nx; i++, place++) {
        const x = Math.min(last[0], Math.max(0, i));
        const y = Math.min(last[1], Math.max(0, j));
        const z = Math.min(last[2], Math.max(0, k));
        const code = codes[x + nx * (y + ny * z)];
        const value = soft ? 255 - code : code;
        const outside = x !== i || y !== j || z !== k;
        values[place] = outside && value > wanted ? 2 * wanted - value : value;
      }
  return { values, wanted, last };
}

function buildSurface(vtk, container) {
  const paint = document.createElement("canvas").getContext("2d");
  paint.fillStyle = getComputedStyle(container).getPropertyValue("--st-background-color").trim() || "#ffffff";
  const background = [1, 3, 5].map((i) => parseInt(paint.fillStyle.slice(i, i + 2), 16) / 255);
  const view = vtk.Rendering.Misc.vtkGenericRenderWindow.newInstance({ background });
  view.setContainer(container);
  const renderer = view.getRenderer();
  const image = vtk.Common.DataModel.vtkImageData.newInstance({ origin: [-0.5, -0.5, -0.5] });
  const mapper = vtk.Rendering.Core.vtkMapper.newInstance();
  mapper.setColorModeToDirectScalars();
  mapper.setScalarModeToUsePointData();
  const actor = vtk.Rendering.Core.vtkActor.newInstance();
  actor.setMapper(mapper);
  actor.getProperty().setAmbient(0.3);
  actor.getProperty().setDiffuse(0.75);
  renderer.addActor(actor);
  const boxMapper = vtk.Rendering.Core.vtkMapper.newInstance();
  const boxActor = vtk.Rendering.Core.vtkActor.newInstance();
  boxActor.setMapper(boxMapper);
  boxActor.getProperty().setColor(0.53, 0.58, 0.65);
  renderer.addActor(boxActor);
  const watch = new ResizeObserver(() => view.resize());
  watch.observe(container);
  return { vtk, view, renderer, image, mapper, boxMapper, placed: false, watch };
}

// Draws a volume. codes: uint8, x fastest. Colours are those of the tiles; on walls and cuts they show the field.
function drawSurface(surface, codes, shape, look, table) {
  const { vtk, image, mapper, boxMapper, renderer, view } = surface;
  const { values, wanted, last } = padded(codes, shape, look.limit, look.soft, look.cut);
  const [nx, ny, nz] = shape;
  image.setDimensions(nx + 2, ny + 2, nz + 2);
  image.getPointData().setScalars(vtk.Common.Core.vtkDataArray.newInstance({ values, numberOfComponents: 1 }));
  const contour = vtk.Filters.General.vtkImageMarchingCubes.newInstance({
    contourValue: wanted, computeNormals: true, mergePoints: true,
  });
  contour.setInputData(image);
  contour.update();
  const mesh = contour.getOutputData();
  const points = mesh.getPoints().getData();
  const colours = new Uint8Array(points.length);
  // A point of the surface at voxel coordinates: image origin and spacing are those of vtkImageData above.
  const nearest = (value, axis) => Math.min(last[axis], Math.max(0, Math.floor(value)));
  for (let p = 0; p < points.length; p += 3) {
    const x = nearest(points[p], 0), y = nearest(points[p + 1], 1), z = nearest(points[p + 2], 2);
    const c = 3 * codes[x + nx * (y + ny * z)];
    colours.set([table[c], table[c + 1], table[c + 2]], p);
  }
  mesh.getPointData().setScalars(
    vtk.Common.Core.vtkDataArray.newInstance({ name: "colour", values: colours, numberOfComponents: 3 }));
  mapper.setInputData(mesh);
  boxMapper.setInputData(edges(vtk, shape));
  if (!surface.placed) {
    surface.placed = true;
    look.camera ? placeCamera(surface, look.camera) : standardView(surface, shape);
  }
  renderer.resetCameraClippingRange();
  view.getRenderWindow().render();
  return points.length / 3;
}

// The twelve edges of the cell.
function edges(vtk, [nx, ny, nz]) {
  const corners = [], lines = [];
  for (let c = 0; c < 8; c++) {
    corners.push(c & 1 ? nx : 0, c & 2 ? ny : 0, c & 4 ? nz : 0);
    for (const bit of [1, 2, 4]) if (!(c & bit)) lines.push(2, c, c | bit);
  }
  const cell = vtk.Common.DataModel.vtkPolyData.newInstance();
  cell.getPoints().setData(Float32Array.from(corners), 3);
  cell.getLines().setData(Uint32Array.from(lines));
  return cell;
}

function standardView(surface, shape) {
  const camera = surface.renderer.getActiveCamera();
  const middle = shape.map((n) => n / 2);
  camera.setFocalPoint(...middle);
  camera.setPosition(middle[0] + 2.1 * shape[0], middle[1] + 1.5 * shape[1], middle[2] + 1.25 * shape[2]);
  camera.setViewUp(0, 0, 1);
  surface.renderer.resetCamera([0, shape[0], 0, shape[1], 0, shape[2]]);
  camera.zoom(1.05);
  surface.renderer.resetCameraClippingRange();
  surface.view.getRenderWindow().render();
}

function savedCamera(surface) {
  const camera = surface.renderer.getActiveCamera();
  return { position: camera.getPosition(), focus: camera.getFocalPoint(), up: camera.getViewUp(),
           angle: camera.getViewAngle() };
}

function placeCamera(surface, saved) {
  const camera = surface.renderer.getActiveCamera();
  camera.setPosition(...saved.position);
  camera.setFocalPoint(...saved.focus);
  camera.setViewUp(...saved.up);
  camera.setViewAngle(saved.angle);
}

function dropSurface(surface) {
  surface.watch.disconnect();
  surface.view.delete();
}
