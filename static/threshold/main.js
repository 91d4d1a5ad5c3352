// The threshold page: one slider, every figure at once, no round trip.
import { nearest, points, read } from "./data.js";
import * as figures from "./figures.js";
import * as form from "./form.js";
import * as multiples from "./multiples.js";
import * as outcomes from "./outcomes.js";
import * as plots from "./plots.js";
import * as whatif from "./whatif.js";

const slider = document.getElementById("t");
const typed = document.getElementById("t-value");
const switches = document.getElementById("switches");
const sentence = document.getElementById("sentence");
let isWaiting = false;

// The pairs that switch follow the slider, and the thresholds by task type that the form holds.
function link(threshold) {
  if (!switches) return;
  const kept = [...new URLSearchParams(switches.search)].filter(([name]) => name === "study");
  const own = [...form.own()].map(([task, value]) => [`threshold_${task}`, value]);
  switches.search = new URLSearchParams([...kept, ["at", threshold], ...own]);
}

function update() {
  isWaiting = false;
  const place = Number(slider.value);
  const p = points[place];
  sentence.textContent = p.sentence;
  slider.setAttribute("aria-valuetext", p.threshold.toFixed(2));
  if (document.activeElement !== typed) typed.value = p.threshold.toFixed(2);
  plots.move(p.threshold);
  figures.show(p);
  multiples.move(place, form.own());
  outcomes.show(p.threshold);
  form.follow(p);
  whatif.move(place);
  link(p.threshold);
}

// However fast the slider sends, there is one update a frame.
function soon() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(update);
}

function choose(wanted) {
  slider.value = nearest(wanted);
  soon();
}

await plots.draw();
multiples.draw();
whatif.wire();
form.wire(choose, soon);
slider.addEventListener("input", soon);
typed.addEventListener("change", () => choose(Number(typed.value)));
choose(read("start"));
