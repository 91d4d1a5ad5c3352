// What if prices, the mix of tasks or the floor were others: arithmetic on recorded tokens.
import { plan, points } from "./data.js";
import { money, percent, small } from "./format.js";
import { tasks as curves } from "./multiples.js";

const panel = document.getElementById("what-if");
const PRICES = ["cheap-input", "cheap-output", "expensive-input", "expensive-output"];
let data = null;
let place = 0;

const field = (id) => document.getElementById(`w-${id}`);
const put = (id, text) => { field(id).textContent = text; };

// Requests and cost of one task type at a threshold: rows are running sums by threshold.
function cost(table, prices, at) {
  const all = table[table.length - 1];
  const below = table[at];
  const [ci, co, ei, eo] = prices;
  const cheap = (row) => (row[1] * ci + row[2] * co) / 1e6;
  const expensive = (row) => (row[3] * ei + row[4] * eo) / 1e6;
  const asking = (row) => (row[5] * ci + row[6] * co) / 1e6; // before it is decided; never at 0
  const lookup = (row) => (row[7] * ci + row[8] * co) / 1e6; // whoever answers
  const dear = (row) => expensive(row) + (at > 0 ? asking(row) : 0);
  return { requests: all[0], now: lookup(all) + cheap(below) + dear(all) - dear(below), baseline: lookup(all) + expensive(all) };
}

function mix() {
  const names = Object.keys(data.tasks);
  const typed = names.map((name) => Math.max(0, Number(document.getElementById(`mix-${names.indexOf(name)}`).value) || 0));
  const total = typed.reduce((a, b) => a + b, 0);
  return Object.fromEntries(names.map((name, i) => [name, total ? typed[i] / total : 0]));
}

function costs(shares, prices) {
  let [now, baseline] = [0, 0];
  for (const [name, table] of Object.entries(data.tasks)) {
    const one = cost(table, prices, place);
    if (!one.requests) continue;
    now += (shares[name] * one.now) / one.requests;
    baseline += (shares[name] * one.baseline) / one.requests;
  }
  return { now, baseline };
}

function worse(shares, at) {
  let [sum, known] = [0, 0];
  for (const task of curves) {
    if (task.degradation[at] === null || !Object.hasOwn(shares, task.name)) continue;
    sum += shares[task.name] * task.degradation[at];
    known += shares[task.name];
  }
  return { share: known > 0 ? sum / known : null, known };
}

function largest(floor) {
  const below = points.filter((p) => p.band_high !== null && p.band_high <= floor && p.cheap_count > 0);
  return below.length ? below[below.length - 1].threshold.toFixed(2) : "none";
}

function compute() {
  const prices = PRICES.map((id) => Number(field(id).value) || 0);
  const shares = mix();
  const { now, baseline } = costs(shares, prices);
  put("cost", baseline > 0 ? `${small(now)} per request, ${percent(1 - now / baseline)} less than ${small(baseline)} always expensive` : "needs prices");
  const isMonthly = plan.requests_a_month !== null && baseline > 0;
  put("month", isMonthly ? `${money((baseline - now) * plan.requests_a_month)} a month at today’s traffic; no interval: it is arithmetic, not an estimate` : "unknown");
  const { share, known } = worse(shares, place);
  put("worse", share === null ? "unknown" : `${percent(share)} made worse, from the task types with ratings (${percent(known, 0)} of the mix); no interval`);
  const floor = Number(field("floor").value) / 100;
  put("largest", `${largest(floor)}: the largest threshold whose band ends below ${percent(floor)}; it is no certificate`);
}

function setPrices(tier, pair) {
  if (!pair) return;
  field(`${tier}-input`).value = pair[0];
  field(`${tier}-output`).value = pair[1];
}

function mixRow(name, i, total) {
  const row = document.createElement("div");
  row.className = "field";
  const label = document.createElement("label");
  label.htmlFor = `mix-${i}`;
  label.textContent = `${name}, % of requests`;
  const input = Object.assign(document.createElement("input"), { id: `mix-${i}`, type: "number", min: 0, max: 100, step: "any" });
  const table = data.tasks[name];
  input.value = total ? ((100 * table[table.length - 1][0]) / total).toFixed(1) : 0;
  row.append(label, input);
  return row;
}

function fill() {
  for (const tier of ["cheap", "expensive"]) setPrices(tier, data.prices[tier]);
  field("model").append(...Object.keys(data.list).map((name) => new Option(name, name)));
  const names = Object.keys(data.tasks);
  const total = names.reduce((sum, name) => sum + data.tasks[name][data.tasks[name].length - 1][0], 0);
  field("mix").append(...names.map((name, i) => mixRow(name, i, total)));
  put("from", `From the recorded tokens of ${data.n_pairs - data.n_unknown} pairs${data.n_unknown ? `; ${data.n_unknown} without a token count are left out` : ""}.`);
  panel.addEventListener("input", compute);
  field("model").addEventListener("change", (event) => { setPrices("cheap", data.list[event.target.value]); compute(); });
}

async function open() {
  if (!panel.open || data !== null) return;
  const answer = await fetch(panel.dataset.url, { headers: { "X-Requested-With": "fetch" } });
  if (!answer.ok) {
    put("from", "The recorded tokens could not be loaded; close and open this again.");
    return;
  }
  data = await answer.json();
  fill();
  compute();
}

export function wire() {
  panel?.addEventListener("toggle", open);
}

export function move(to) {
  place = to;
  if (data !== null) compute();
}
