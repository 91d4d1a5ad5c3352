// What users reported, by threshold, where this window can tell.
import { read } from "./data.js";
import { between, percent } from "./format.js";

const byThreshold = read("outcomes");

export function show(threshold) {
  for (const [metric, rows] of Object.entries(byThreshold)) {
    const cell = document.getElementById(`outcome-${metric}`);
    const off = (row) => Math.abs(row.threshold - threshold);
    const row = rows.reduce((best, one) => (best === null || off(one) < off(best) ? one : best), null);
    if (!cell) continue;
    const isKnown = row !== null && row.difference !== null;
    cell.textContent = isKnown ? `below ${row.threshold.toFixed(1)}: ${percent(row.difference)} (${between(row.low, row.high)}; n = ${row.n}, ${percent(row.coverage, 0)} of the feedback there)` : row.words;
  }
}
