// A voxel cell in 3D: WebGL 2, no library. Each pixel follows its ray from voxel to voxel (Amanatides & Woo 1987),
// so what is seen is the solver's own grid. The two phases have an opacity each, planes cut the cell open, and a
// scalar field may colour the surfaces. Camera, cuts and opacities are kept by key when the component is made anew.

const VERTEX = `#version 300 es
in vec2 corner;
out vec2 at;
void main() { at = corner; gl_Position = vec4(corner, 0.0, 1.0); }`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler3D;
uniform sampler3D cells;     // red: phase 0 or 1; green: colour index of the field
uniform sampler2D palette;   // 256 colours of the field
uniform vec3 shape;          // voxels along x, y, z
uniform vec3 extent;         // edges of the cell, the longest is 1
uniform mat3 turned;         // camera axes as columns: right, up, backwards
uniform vec2 frame;          // half width and height of the view at distance 1
uniform float away;          // distance of the camera
uniform vec3 low, high;      // what is left between the cuts, 0…1
uniform vec2 opacity;        // of phase 0 and 1
uniform vec3 phases[2];
uniform bool byValue;
uniform vec3 behind;         // background
uniform vec3 edge;           // colour of the cell's edges
uniform float grain;         // a pixel's share of the view's height
in vec2 at;
out vec4 colour;

void main() {
  vec3 eye = away * turned[2];
  vec3 ray = normalize(turned * vec3(at * frame, -1.0));
  vec3 first = (low - 0.5) * extent, last = (high - 0.5) * extent;
  vec3 slope = 1.0 / (abs(ray) + 1e-9) * mix(vec3(-1.0), vec3(1.0), greaterThanEqual(ray, vec3(0.0)));
  vec3 a = (first - eye) * slope, b = (last - eye) * slope;
  vec3 near = min(a, b), far = max(a, b);
  float enter = max(max(near.x, near.y), near.z), leave = min(min(far.x, far.y), far.z);
  colour = vec4(behind, 1.0);
  if (leave <= max(enter, 0.0)) return;

  vec3 spot = (eye + max(enter, 0.0) * ray + 0.5 * extent) / extent * shape;   // in voxels
  vec3 way = ray / extent * shape;
  ivec3 step = ivec3(sign(way));
  ivec3 bottom = ivec3(floor(low * shape + 0.5)), top = ivec3(floor(high * shape + 0.5)) - 1;
  ivec3 voxel = clamp(ivec3(floor(spot)), bottom, top);
  vec3 delta = 1.0 / (abs(way) + 1e-9);
  vec3 next = (vec3(voxel) + max(vec3(step), 0.0) - spot) / (way + 1e-9 * vec3(step) + 1e-12);
  int face = near.x >= enter ? 0 : near.y >= enter ? 1 : 2;

  vec3 seen = vec3(0.0);
  float through = 1.0;
  // Edges of what is left of the cell.
  vec3 hit = (eye + enter * ray - first) / max(last - first, vec3(1e-6));
  float thin = 1.6 * away * frame.y * grain;
  vec3 rim = min(hit, 1.0 - hit) * (last - first);
  int close = int(rim.x < thin) + int(rim.y < thin) + int(rim.z < thin);
  if (close >= 2) { seen = edge; through = 0.35; seen *= 0.65; }

  int before = -1;
  for (int n = 0; n < 1024; n++) {
    vec2 cell = texelFetch(cells, voxel, 0).rg;
    int phase = int(cell.r * 255.0 + 0.5);
    if (phase != before) {
      float cover = opacity[phase];
      vec3 paint = byValue ? texelFetch(palette, ivec2(int(cell.g * 255.0 + 0.5), 0), 0).rgb : phases[phase];
      vec3 normal = vec3(0.0);
      normal[face] = -sign(ray[face]);
      float light = 0.66 + 0.36 * max(dot(normal, normalize(turned * vec3(-0.6, 0.75, 0.65))), 0.0);
      seen += through * cover * light * paint;
      through *= 1.0 - cover;
      if (through < 0.015) break;
      before = phase;
    }
    face = next.x < next.y ? (next.x < next.z ? 0 : 2) : (next.y < next.z ? 1 : 2);
    voxel[face] += step[face];
    if (voxel[face] < bottom[face] || voxel[face] > top[face]) break;
    next[face] += delta[face];
  }
  colour = vec4(seen + through * behind, 1.0);
}`;

const START = { yaw: 0.85, pitch: 0.5, zoom: 1 };
const START_FLAT = { yaw: 0.6, pitch: 0.95, zoom: 1.15 };
const remembered = new Map();   // by key, for as long as the page is open
const views = new WeakMap();

const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const fraction = (text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16) / 255);

function element(parent, tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  parent.appendChild(node);
  return node;
}

// A CSS colour of the theme as three numbers.
function themed(node, property, fallback) {
  const probe = element(node, "span");
  probe.style.color = `var(${property}, ${fallback})`;
  const numbers = getComputedStyle(probe).color.match(/[\d.]+/g) ?? [];
  probe.remove();
  return numbers.length < 3 ? fraction(fallback) : numbers.slice(0, 3).map((n) => n / 255);
}

function program(gl) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
  return made;
}

function texture(gl, unit, target) {
  const made = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(target, made);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(target, name, gl.NEAREST);
  return made;
}

// Right, up and backwards of a camera that looks at the middle of the cell; z stays upright.
function camera({ yaw, pitch }) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  return [[-sy, cy, 0], [-sp * cy, -sp * sy, cp], [cp * cy, cp * sy, sp]];
}

class View {
  constructor(root) {
    root.replaceChildren();
    this.root = root;
    this.stage = element(root, "div", "stage");
    this.canvas = element(this.stage, "canvas", "scene");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.gl = this.canvas.getContext("webgl2", { antialias: false, preserveDrawingBuffer: true });
    if (!this.gl) {
      this.stage.replaceChildren();
      element(this.stage, "p", "failed", "This browser cannot draw 3D (it has no WebGL 2). Slices show the same cell.");
      return;
    }
    this.axes = this.makeAxes();
    element(this.stage, "button", "reset", "Reset view").onclick = () => this.reset();
    this.legend = element(root, "div", "legend");
    this.knobs = element(root, "div", "knobs");
    this.prepare();
    this.listen();
  }

  prepare() {
    const gl = this.gl;
    this.program = program(gl);
    gl.useProgram(this.program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(this.program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    texture(gl, 0, gl.TEXTURE_3D);
    texture(gl, 1, gl.TEXTURE_2D);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.uniform1i(this.place("cells"), 0);
    gl.uniform1i(this.place("palette"), 1);
  }

  place(name) { return this.gl.getUniformLocation(this.program, name); }

  makeAxes() {
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
    this.stage.appendChild(svg);
    return axes;
  }

  listen() {
    const canvas = this.canvas;
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      canvas.onpointermove = (move) => {
        this.turn(-0.008 * (move.clientX - event.clientX), 0.008 * (move.clientY - event.clientY));
        event = move;
      };
    };
    canvas.onpointerup = canvas.onpointercancel = () => { canvas.onpointermove = null; this.draw(); };
    // The wheel scrolls the page until the picture was clicked.
    canvas.onwheel = (event) => {
      if (this.root.getRootNode().activeElement !== canvas) return;
      event.preventDefault();
      this.zoomBy(Math.exp(-0.001 * event.deltaY));
    };
    const keys = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, 0.12], ArrowDown: [0, -0.12] };
    canvas.onkeydown = (event) => {
      if (keys[event.key]) this.turn(...keys[event.key]);
      else if (event.key === "+" || event.key === "-") this.zoomBy(event.key === "+" ? 1.1 : 1 / 1.1);
      else return;
      event.preventDefault();
    };
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.stage);
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => { this.prepare(); this.upload(); this.draw(); });
  }

  turn(yaw, pitch) {
    this.state.yaw += yaw;
    this.state.pitch = Math.min(1.57, Math.max(-1.57, this.state.pitch + pitch));
    this.soon();
  }

  zoomBy(factor) {
    this.state.zoom = Math.min(6, Math.max(0.4, this.state.zoom * factor));
    this.soon();
  }

  reset() {
    Object.assign(this.state, this.fresh());
    this.makeKnobs();
    this.draw();
  }

  fresh() {
    const start = this.data.shape[2] === 1 ? START_FLAT : START;
    return { ...start, cut: [[0, 1], [0, 1], [0, 1]], opacity: [...this.data.opacity] };
  }

  update(data) {
    this.data = data;
    this.state = remembered.get(data.key) ?? this.fresh();
    remembered.set(data.key, this.state);
    this.stage.style.setProperty("--stage-height", `${data.height}px`);
    if (!this.gl) return;
    this.upload();
    this.canvas.setAttribute("aria-label", data.label);
    this.makeLegend();
    this.makeKnobs();
    this.draw();
  }

  upload() {
    const { gl, data } = this;
    const labels = bytes(data.labels), values = data.values ? bytes(data.values) : null;
    const both = new Uint8Array(2 * labels.length);
    labels.forEach((label, i) => { both[2 * i] = label; both[2 * i + 1] = values ? values[i] : 0; });
    gl.activeTexture(gl.TEXTURE0);
    gl.texImage3D(gl.TEXTURE_3D, 0, gl.RG8, ...data.shape, 0, gl.RG, gl.UNSIGNED_BYTE, both);
    gl.activeTexture(gl.TEXTURE1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, bytes(data.palette));
  }

  makeLegend() {
    this.legend.replaceChildren();
    const scale = this.data.scale;
    if (!scale) return;
    element(this.legend, "span", "title", scale.title);
    const bar = element(this.legend, "div", "bar");
    const ramp = element(bar, "canvas");
    [ramp.width, ramp.height] = [256, 1];
    const image = new ImageData(256, 1), palette = bytes(this.data.palette);
    for (let i = 0; i < 256; i++) image.data.set([...palette.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    ramp.getContext("2d").putImageData(image, 0, 0);
    const ticks = element(bar, "div");
    for (const [position, label] of scale.ticks) element(ticks, "span", "tick", label).style.left = `${100 * position}%`;
  }

  makeKnobs() {
    this.knobs.replaceChildren();
    const knob = (name, value, most, change, show) => {
      const row = element(this.knobs, "label", "knob");
      element(row, "span", "name", name).title = name;
      const input = element(row, "input");
      Object.assign(input, { type: "range", min: 0, max: most, step: most / 100, value });
      const output = element(row, "output", "", show(value));
      input.oninput = () => { change(Number(input.value)); output.textContent = show(Number(input.value)); this.soon(); };
    };
    const share = (value) => `${Math.round(100 * value)} %`;
    this.data.phases.forEach((phase, i) => {
      knob(phase.name, this.state.opacity[i], 1, (value) => { this.state.opacity[i] = value; }, share);
    });
    ["x", "y", "z"].forEach((axis, i) => {
      if (this.data.shape[i] === 1) return;
      const most = this.data.shape[i], cut = this.state.cut[i];
      // What is nearer to the camera is cut away: the far side of x and y, the top along z.
      const change = (value) => { cut[1] = Math.max(1, Math.round(value * most)) / most; };
      knob(`Cut ${axis} above`, cut[1], 1, change, share);
    });
  }

  // Once per frame of the browser, coarser while that is slow.
  soon() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw(this.slow ? 0.5 : 1);
      clearTimeout(this.later);
      if (this.slow) this.later = setTimeout(() => this.draw(), 180);
    });
  }

  draw(quality = 1) {
    const { gl, canvas, state, data } = this;
    if (!gl || !data || !this.stage.clientWidth || gl.isContextLost()) return;
    const began = performance.now();
    // Finer than the screen where that is quick: edges of voxels are then smooth.
    const density = (this.slow ? 1 : 1.5) * Math.min(2, window.devicePixelRatio || 1) * quality;
    canvas.width = Math.round(this.stage.clientWidth * density);
    canvas.height = Math.round(this.stage.clientHeight * density);
    gl.viewport(0, 0, canvas.width, canvas.height);
    const [right, up, back] = camera(state);
    const span = 0.36 / state.zoom, aspect = canvas.width / canvas.height;
    const longest = Math.max(...data.shape);
    const extent = data.shape.map((n) => (n === 1 ? data.slab : n / longest));
    gl.uniform3fv(this.place("shape"), data.shape);
    gl.uniform3fv(this.place("extent"), extent);
    gl.uniformMatrix3fv(this.place("turned"), false, [...right, ...up, ...back]);
    gl.uniform2f(this.place("frame"), span * Math.max(1, aspect), span * Math.max(1, aspect) / aspect);
    gl.uniform1f(this.place("away"), 2.9);
    gl.uniform1f(this.place("grain"), 2 / this.stage.clientHeight);
    gl.uniform3fv(this.place("low"), state.cut.map((cut) => cut[0]));
    gl.uniform3fv(this.place("high"), state.cut.map((cut) => cut[1]));
    gl.uniform2fv(this.place("opacity"), state.opacity);
    gl.uniform3fv(this.place("phases"), data.phases.flatMap((phase) => fraction(phase.colour)));
    gl.uniform1i(this.place("byValue"), data.values ? 1 : 0);
    gl.uniform3fv(this.place("behind"), themed(this.root, "--st-background-color", "#ffffff"));
    gl.uniform3fv(this.place("edge"), themed(this.root, "--st-text-color", "#1b2430"));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.finish();
    if (quality === 1) this.slow = performance.now() - began > 45;
    this.axes.forEach(({ line, text }, i) => {
      const [x, y] = [26 * right[i], -26 * up[i]];
      line.setAttribute("x2", 0.75 * x);
      line.setAttribute("y2", 0.75 * y);
      text.setAttribute("x", 1.05 * x);
      text.setAttribute("y", 1.05 * y);
    });
    this.root.dataset.drawn = String(Number(this.root.dataset.drawn ?? 0) + 1);
  }

  release() {
    this.observer?.disconnect();
    this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

export default function (component) {
  const { data, parentElement } = component;
  if (!data) return;
  const root = parentElement.querySelector(".voxels");
  let view = views.get(root);
  if (!view) {
    view = new View(root);
    views.set(root, view);
  }
  if (view.token !== data.token) {
    view.token = data.token;
    view.update(data);
  }
  return () => {
    views.delete(root);
    view.release();
  };
}
