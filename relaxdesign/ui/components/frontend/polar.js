// Young's modulus by direction: one small chart per plane, what is wanted dashed, the candidates in their colours.

const POLAR = { top: 18, around: 13, turn: 72 };
let polarCharts = 0;

function buildPolar(parent, polar, colours) {
  const width = PANEL.width / polar.planes.length;
  const curved = Object.keys(polar.wanted).length > 0;
  const radius = Math.min(curved ? 76 : 48, width / 2 - POLAR.around);
  const height = POLAR.top + 2 * (radius + POLAR.around);
  const figure = element(parent, "figure", "panel polar");
  const root = svg(figure, "svg", { viewBox: `0 0 ${PANEL.width} ${height}`, role: "img" });
  svg(root, "text", { class: "heading", x: 0, y: 12 }).textContent = polar.title;
  const key = curved ? "dashed: wanted" : "rings: wanted";
  svg(root, "text", { class: "key", x: PANEL.width - PANEL.right, y: 12, "text-anchor": "end" }).textContent = key;
  const planes = polar.planes.map((name, i) => {
    const chart = { name, centre: [width * (i + 0.5), POLAR.top + POLAR.around + radius], radius, rim: polar.rim };
    buildRings(root, chart);
    const clip = `polar-${polarCharts++}`;
    svg(svg(root, "clipPath", { id: clip }), "circle", { cx: chart.centre[0], cy: chart.centre[1], r: radius });
    const inside = svg(root, "g", { "clip-path": `url(#${clip})` });
    buildLimits(inside, chart, polar.limits);
    chart.parts = colours.map((colour) => ({
      line: svg(inside, "path", { class: "line", stroke: colour }),
      points: [...name].map(() => [0, 1].map(() => svg(inside, "circle", { class: "point", r: 2.8, fill: colour }))),
    }));
    // On top: in the end both are the same.
    if (polar.wanted[name]) svg(inside, "path", { class: "wanted", d: outline(chart, polar.wanted[name]) });
    return chart;
  });
  return { root, planes, title: polar.title };
}

// Two circles, the axes and their names.
function buildRings(root, { name, centre: [x, y], radius, rim }) {
  const rings = svg(root, "g", { class: "axis" });
  for (const share of [0.5, 1]) svg(rings, "circle", { cx: x, cy: y, r: share * radius });
  svg(rings, "line", { x1: x - radius, x2: x + radius, y1: y, y2: y });
  svg(rings, "line", { x1: x, x2: x, y1: y - radius, y2: y + radius });
  svg(rings, "text", { x: x + radius + 3, y: y + 3.5 }).textContent = name[0];
  svg(rings, "text", { x, y: y - radius - 4, "text-anchor": "middle" }).textContent = name[1];
  const corner = Math.SQRT1_2 * radius;
  svg(rings, "text", { x: x + corner + 2, y: y + corner + 9 }).textContent = readable(rim, 2);
}

const place = ({ centre, radius, rim }, turn, value) => {
  const angle = (2 * Math.PI * turn) / POLAR.turn, r = (radius * value) / rim;
  return [centre[0] + r * Math.cos(angle), centre[1] - r * Math.sin(angle)];
};

const outline = (chart, values) =>
  values.map((v, i) => (i ? "L" : "M") + place(chart, i, v).map((c) => c.toFixed(1)).join(" ")).join("") + "Z";

// The turn of a direction of one of a plane's axes.
const turnOf = (axis, side) => (POLAR.turn / 4) * (axis + 2 * side);

// What is wanted along an axis: a ring at a value, else the stretch between the limits.
function buildLimits(parent, chart, limits) {
  [...chart.name].forEach((axis, i) => {
    const [low, high] = limits[axis] ?? [null, null];
    if (low === null && high === null) return;
    for (const side of [0, 1]) {
      const [x1, y1] = place(chart, turnOf(i, side), low ?? 0), [x2, y2] = place(chart, turnOf(i, side), high ?? chart.rim);
      if (low === high) svg(parent, "circle", { class: "wanted", cx: x1, cy: y1, r: 4.5 });
      else svg(parent, "line", { class: "stretch", x1, y1, x2, y2 });
    }
  });
}

// present: of each candidate its curves by plane and its points by axis.
function drawPolar(view, present, chosen) {
  for (const chart of view.planes) {
    chart.parts.forEach(({ line, points }, i) => {
      const state = (node) => {
        node.classList.toggle("faint", chosen !== null && i !== chosen);
        node.classList.toggle("strong", i === chosen);
      };
      const curve = present[i]?.curves[chart.name];
      line.setAttribute("d", curve ? outline(chart, curve) : "");
      state(line);
      points.forEach((pair, axis) => pair.forEach((point, side) => {
        const value = present[i]?.points[chart.name[axis]] ?? null;
        point.setAttribute("visibility", value === null ? "hidden" : "visible");
        const [cx, cy] = place(chart, turnOf(axis, side), value ?? 0);
        setAll(point, { cx, cy });
        state(point);
      }));
    });
  }
  view.root.setAttribute("aria-label", `${view.title}: ${describedPolar(view, present, chosen ?? 0)}`);
}

function describedPolar({ planes }, present, index) {
  const said = planes.flatMap(({ name }) => [...name].map((axis, i) => {
    const value = present[index]?.points[axis] ?? present[index]?.curves[name]?.[turnOf(i, 0)];
    return value === undefined ? null : `${axis} ${readable(value)}`;
  }));
  return `candidate ${index + 1}, ${[...new Set(said.filter(Boolean))].join(", ") || "nothing measured"}`;
}
