// The threshold page: one slider, every figure at once, no round trip.
const points = JSON.parse(document.getElementById("points").textContent);
const figures = JSON.parse(document.getElementById("figures").textContent);
// Plotly writes into the layout it is given: the lines that stay are kept apart.
const fixed = Object.fromEntries(Object.entries(figures).map(([id, figure]) => [id, [...(figure.layout.shapes || [])]]));
const floor = JSON.parse(document.getElementById("floor").textContent);
const slider = document.getElementById("t");
const typed = document.getElementById("t-value");
const ask = document.getElementById("ask");

const percent = (x) => (x === null ? "unknown" : `${(100 * x).toFixed(1)} %`);
const between = (p, name) => `${percent(p[`${name}_low`])} to ${percent(p[`${name}_high`])}`;
const dollars = (x) => (x === null ? "unknown" : `$${x.toPrecision(4)}`);

function against(p) {
  if (p.degradation_low > floor) return "the whole interval lies above it";
  return p.degradation_high > floor ? "the interval reaches above it" : "the interval lies below it";
}

function sentence(p) {
  const worse = p.degradation === null
    ? "how many get a worse answer is not known yet (nothing is rated)"
    : `an estimated ${percent(p.degradation)} of all requests get a worse answer (95 % interval ${between(p, "degradation")}, ${p.events} of n = ${p.n_harm} rated; the floor is ${percent(floor)}, ${against(p)})`;
  const fit = p.adequacy === null
    ? ""
    : ` Of the cheap-routed, ${percent(p.adequacy)} are good enough to send (${between(p, "adequacy")}, n = ${p.n_adequacy}).`;
  const doubt = p.weights_too_unequal ? " The weights are too unequal for this interval: it may be too short; rate more of the rarely drawn pairs." : "";
  const cost = p.saving_share === null ? " Cost is unknown." : ` Cost ${dollars(p.cost_usd)} per request, ${percent(p.saving_share)} less than always expensive.`;
  return `At ${p.threshold.toFixed(2)}, ${percent(p.cheap_share)} of requests go to the cheap model (${p.cheap_count} pairs); ${worse}.${doubt}${fit}${cost}`;
}

function chosen(x) {
  return { type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color: "#e8a33d", width: 2 } };
}

function update() {
  const p = points[Number(slider.value)];
  document.getElementById("sentence").textContent = sentence(p);
  typed.value = p.threshold.toFixed(2);
  slider.setAttribute("aria-valuetext", p.threshold.toFixed(2));
  if (ask) ask.value = p.threshold.toFixed(2);
  for (const id of ["quality", "cost"]) {
    Plotly.relayout(id, { shapes: [...fixed[id], chosen(p.threshold)] });
  }
}

function choose(wanted) {
  const off = (p) => Math.abs(p.threshold - wanted);
  slider.value = points.reduce((best, p, i) => (off(p) < off(points[best]) ? i : best), 0);
  update();
}

function row(p) {
  const line = document.createElement("tr");
  const cells = [p.threshold.toFixed(2), percent(p.cheap_share), `${percent(p.adequacy)} (${between(p, "adequacy")})`,
    p.n_adequacy, `${percent(p.degradation)} (${between(p, "degradation")})`, p.n_harm, dollars(p.cost_usd)];
  for (const text of cells) {
    const cell = line.insertCell();
    cell.className = "number";
    cell.textContent = text;
  }
  return line;
}

for (const id of ["quality", "cost"]) {
  await Plotly.newPlot(id, figures[id].data, figures[id].layout, { displayModeBar: false, responsive: true });
}
document.getElementById("table").append(...points.filter((_, i) => i % 5 === 0 || i === points.length - 1).map(row));
slider.addEventListener("input", update);
for (const input of [typed, ask]) if (input) input.addEventListener("change", () => choose(Number(input.value)));
choose(JSON.parse(document.getElementById("start").textContent));
