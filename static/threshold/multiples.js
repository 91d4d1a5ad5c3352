// A small curve of each task type: what gets worse within it, against the floor.
import { plan, points, read } from "./data.js";
import { between, percent } from "./format.js";

const tasks = read("tasks");
const WIDE = 240;
const HIGH = 110;
const FOOT = 16;
const largest = points.length ? points[points.length - 1].threshold : 1;
const top = Math.min(1, Math.max(3 * plan.floor, 1.3 * Math.max(0, ...tasks.flatMap((t) => t.degradation.map((d) => d ?? 0)))));

const x = (threshold) => (WIDE * threshold) / largest;
const y = (share) => HIGH - (HIGH * Math.min(share, top)) / top;

function shape(kind, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const path = (values) => values.map((v, i) => (v === null ? null : `${x(points[i].threshold).toFixed(1)},${y(v).toFixed(1)}`)).filter(Boolean);

function band(task) {
  return shape("polygon", { class: "band", points: [...path(task.degradation_low), ...path(task.degradation_high).reverse()].join(" ") });
}

function words(text, attributes) {
  const element = shape("text", attributes);
  element.textContent = text;
  return element;
}

// The ends of both axes and the floor, in numbers.
function scale() {
  const foot = HIGH + FOOT - 4;
  return [
    shape("path", { class: "axes", d: `M0,0 V${HIGH} H${WIDE}` }),
    words(percent(top, 0), { x: 4, y: 10 }),
    words(`floor ${percent(plan.floor, plan.floor < 0.01 ? 1 : 0)}`, { x: 4, y: y(plan.floor) - 4 }),
    words("0", { x: 0, y: foot }),
    words("threshold", { x: WIDE / 2, y: foot, "text-anchor": "middle" }),
    words(largest > 1 ? "1" : largest.toFixed(2), { x: Math.min(x(1), WIDE), y: foot, "text-anchor": "end" }),
  ];
}

function picture(task) {
  const svg = shape("svg", { viewBox: `0 0 ${WIDE} ${HIGH + FOOT}`, class: "multiple", "aria-hidden": "true" });
  svg.append(
    band(task),
    shape("polyline", { class: "worse", points: path(task.degradation).join(" ") }),
    shape("line", { class: "floor", x1: 0, x2: WIDE, y1: y(plan.floor), y2: y(plan.floor) }),
  );
  if (task.certified !== null) svg.append(shape("line", { class: "certified", x1: x(task.certified), x2: x(task.certified), y1: 0, y2: HIGH }));
  task.line = shape("line", { class: "chosen", x1: 0, x2: 0, y1: 0, y2: HIGH });
  svg.append(task.line, ...scale());
  return svg;
}

function panel(task) {
  const box = document.createElement("div");
  const title = document.createElement("h3");
  title.textContent = task.name;
  task.text = document.createElement("p");
  task.text.className = "muted";
  const certified = document.createElement("p");
  certified.textContent = task.certified === null ? "Nothing certified for it alone" : `Certified for it alone: ${task.certified.toFixed(2)}`;
  box.append(title, picture(task), task.text, certified);
  return box;
}

export function draw() {
  document.getElementById("tasks-drawn")?.append(...tasks.map(panel));
}

const places = new Map(points.map((p, i) => [p.threshold.toFixed(2), i]));

// A task type goes by the threshold that the form gives it, else by the one for all.
export function move(place, own) {
  for (const task of tasks) {
    const named = own.get(task.name);
    const threshold = named ?? points[place].threshold;
    if (task.shown === threshold) continue;
    task.shown = threshold;
    const at = places.get(threshold.toFixed(2)) ?? place;
    task.line.setAttribute("x1", x(threshold));
    task.line.setAttribute("x2", x(threshold));
    task.text.textContent = `At ${threshold.toFixed(2)}: ${percent(task.cheap_share[at], 0)} cheap, ${percent(task.degradation[at])} ${plan.harm} (${between(task.degradation_low[at], task.degradation_high[at])}; ${task.events[at]} / ${task.n_rated} rated)`;
  }
}

export { tasks };
