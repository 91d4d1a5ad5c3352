// The figures, and the one line that moves over them: an element, so that nothing is drawn anew.
import { read } from "./data.js";

const figures = read("figures");
const lines = new Map();

const ink = () => getComputedStyle(document.body).color;

function place(line, threshold) {
  const { xaxis, _size: size } = line.plot._fullLayout;
  line.element.style.height = `${size.h}px`;
  line.element.style.transform = `translate(${xaxis._offset + xaxis.l2p(threshold)}px, ${size.t}px)`;
}

let now = 0;

export function move(threshold) {
  now = threshold;
  for (const line of lines.values()) {
    place(line, threshold);
    line.label.textContent = `proposed ${threshold.toFixed(2)}`;
    line.label.classList.toggle("left", threshold > 0.6);
  }
}

function addLine(plot) {
  const element = document.createElement("div");
  element.className = "proposed";
  const label = document.createElement("span");
  element.append(label);
  plot.append(element);
  lines.set(plot.id, { plot, element, label });
  plot.on("plotly_afterplot", () => place(lines.get(plot.id), now));
}

function narrow(layout) {
  // The names of lines stand under the figure; on a phone there is room for few ticks and no names.
  layout.annotations = layout.annotations.filter((note) => note.text.startsWith("floor"));
  layout.margin = { ...layout.margin, l: 52, r: 8 };
  layout.yaxis.title = { text: "" };
  layout.xaxis2.tickvals = layout.xaxis2.tickvals.filter((_, i) => i % 2 === 0);
  layout.xaxis2.ticktext = layout.xaxis2.ticktext.filter((_, i) => i % 2 === 0);
}

export async function draw() {
  for (const [id, figure] of Object.entries(figures)) {
    const plot = document.getElementById(id);
    figure.layout.font = { ...figure.layout.font, color: ink() };
    if (plot.clientWidth < 480) narrow(figure.layout);
    await Plotly.newPlot(plot, figure.data, figure.layout, { displayModeBar: false, responsive: true });
    addLine(plot);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const id of lines.keys()) Plotly.relayout(id, { "font.color": ink() });
  });
}
