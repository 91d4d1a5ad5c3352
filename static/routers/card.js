// The figures of a router's card, as the server made them.
const figures = JSON.parse(document.getElementById("figures").textContent);
const ink = () => getComputedStyle(document.body).color;

for (const [id, figure] of Object.entries(figures)) {
  figure.layout.font = { ...figure.layout.font, color: ink() };
  await Plotly.newPlot(id, figure.data, figure.layout, { displayModeBar: false, responsive: true });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const id of Object.keys(figures)) Plotly.relayout(id, { "font.color": ink() });
});
