// Lines over the denoising steps, one panel per quantity: SVG that is changed in place, not built anew.

const SVG = "http://www.w3.org/2000/svg";
const PANEL = { width: 320, left: 46, right: 8, top: 20, bottom: 16 };

function svg(parent, tag, attributes = {}) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.appendChild(node);
  return node;
}

function buildPanel(parent, panel, colours, height) {
  const figure = element(parent, "figure", "panel");
  const root = svg(figure, "svg", { viewBox: `0 0 ${PANEL.width} ${height}`, role: "img", "aria-label": panel.title });
  const band = svg(root, "rect", { class: "band" });
  const edges = [svg(root, "line", { class: "target" }), svg(root, "line", { class: "target" })];
  const axis = svg(root, "g", { class: "axis" });
  const heading = svg(root, "text", { class: "heading", x: 0, y: 12 });
  const lines = panel.series.map((_, i) => svg(root, "path", { class: "line", stroke: colours[i] }));
  const cursor = svg(root, "line", { class: "cursor", y1: PANEL.top, y2: height - PANEL.bottom });
  const note = svg(root, "text", { class: "note", x: PANEL.width - PANEL.right, y: 12, "text-anchor": "end" });
  return { root, heading, band, edges, axis, lines, cursor, note, height };
}

function limits(panel) {
  const values = panel.series.flat().filter((v) => v !== null && (!panel.log || v > 0));
  const wanted = (panel.target ?? []).filter((v) => v !== null);
  if (!values.length && !wanted.length) return [0.1, 1];
  let low = Math.min(...values, ...wanted), high = Math.max(...values, ...wanted);
  if (panel.log) {
    if (panel.floor) low = Math.max(low, panel.floor);
    const pad = Math.max(1.02, Math.pow(high / low, 0.06));
    return [low / pad, high * pad];
  }
  const pad = Math.max(0.06 * (high - low), 1e-3 * Math.abs(high), 1e-9);
  return [low - pad, high + pad];
}

function axisTicks(low, high, log) {
  if (!log) return [0.1, 0.5, 0.9].map((share) => Number((low + share * (high - low)).toPrecision(3)));
  const decades = Math.log10(high / low);
  if (decades < 3) return roundTicks(low, high);
  const stride = Math.ceil(decades / 4), ticks = [];
  for (let e = Math.ceil(Math.log10(low)); e <= Math.log10(high); e += stride) ticks.push(10 ** e);
  return ticks;
}

const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";
function axisLabel(value) {
  if (value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4)) return readable(value);
  const exponent = Math.round(Math.log10(Math.abs(value)));
  return "10" + (exponent < 0 ? "⁻" : "") + [...String(Math.abs(exponent))].map((d) => SUPERSCRIPT[d]).join("");
}

function drawPanel(view, panel, curves) {
  view.heading.textContent = panel.title;
  const [low, high] = limits(panel);
  const bottom = view.height - PANEL.bottom, drawn = bottom - PANEL.top;
  const share = panel.log ? (v) => Math.log(v / low) / Math.log(high / low) : (v) => (v - low) / (high - low);
  const y = (v) => bottom - drawn * Math.min(1, Math.max(0, share(panel.floor ? Math.max(v, panel.floor) : v)));
  const x = stepToX(curves);
  view.axis.replaceChildren();
  for (const tick of axisTicks(low, high, panel.log)) {
    svg(view.axis, "line", { x1: PANEL.left, x2: PANEL.width - PANEL.right, y1: y(tick), y2: y(tick) });
    svg(view.axis, "text", { x: PANEL.left - 5, y: y(tick) + 3.5, "text-anchor": "end" }).textContent = axisLabel(tick);
  }
  for (const step of [1, Math.round(curves.steps / 2), curves.steps])
    svg(view.axis, "text", { x: x(step), y: view.height - 3, "text-anchor": "middle" }).textContent = step;
  const [from, to] = panel.target ?? [null, null];
  const shown = panel.target ? [from ?? low, to ?? high] : null;
  view.band.setAttribute("visibility", shown ? "visible" : "hidden");
  view.edges.forEach((edge, i) => {
    const limit = panel.target?.[i] ?? null;
    edge.setAttribute("visibility", limit === null ? "hidden" : "visible");
    if (limit !== null) setAll(edge, { x1: PANEL.left, x2: PANEL.width - PANEL.right, y1: y(limit), y2: y(limit) });
  });
  if (shown) {
    const top = y(shown[1]);
    setAll(view.band, { x: PANEL.left, width: PANEL.width - PANEL.left - PANEL.right, y: top,
                        height: Math.max(1.5, y(shown[0]) - top) });
  }
  panel.series.forEach((values, i) => {
    let path = "", pen = "M";
    values.forEach((v, k) => {
      if (v === null || (panel.log && v <= 0 && !panel.floor)) return void (pen = "M");
      path += `${pen}${x(curves.step[k]).toFixed(1)} ${y(v).toFixed(1)}`;
      pen = "L";
    });
    view.lines[i].setAttribute("d", path);
  });
}

function setAll(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

const stepToX = (curves) => (step) =>
  PANEL.left + ((PANEL.width - PANEL.left - PANEL.right) * (step - 1)) / Math.max(1, curves.steps - 1);

// Marks a step in all panels; of a chosen candidate its values are written out.
function markStep(view, panel, curves, step, chosen) {
  const place = stepToX(curves)(step);
  setAll(view.cursor, { x1: place, x2: place });
  view.lines.forEach((line, i) => line.classList.toggle("faint", chosen !== null && i !== chosen));
  view.lines.forEach((line, i) => line.classList.toggle("strong", i === chosen));
  let at = curves.step.findIndex((s) => s >= step);
  if (at < 0) at = curves.step.length - 1;
  const shown = panel.series.slice(0, 12).map((line, i) => [i + 1, line[at] ?? null]).filter(([, v]) => v !== null);
  const words = shown.map(([number, v]) => `candidate ${number} ${readable(v)}`).join(", ");
  view.root.setAttribute("aria-label", `${panel.title}, step ${step}: ${words || "nothing measured"}`);
  const value = chosen === null || at < 0 ? null : panel.series[chosen]?.[at] ?? null;
  view.note.textContent = value === null ? "" : `${chosen + 1}: ${readable(value)} ${panel.unit}`;
}
