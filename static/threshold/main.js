// The threshold page: one slider, every figure at once, no round trip.
import { nearest, points, read } from "./data.js";
import * as figures from "./figures.js";
import * as form from "./form.js";
import * as multiples from "./multiples.js";
import * as outcomes from "./outcomes.js";
import * as plots from "./plots.js";
import { sentence } from "./sentence.js";
import * as whatif from "./whatif.js";

const slider = document.getElementById("t");
const typed = document.getElementById("t-value");
const switches = document.getElementById("switches");
let isWaiting = false;

function update() {
  isWaiting = false;
  const place = Number(slider.value);
  const p = points[place];
  document.getElementById("sentence").textContent = sentence(p);
  slider.setAttribute("aria-valuetext", p.threshold.toFixed(2));
  if (document.activeElement !== typed) typed.value = p.threshold.toFixed(2);
  plots.move(p.threshold);
  figures.show(p);
  multiples.move(place);
  outcomes.show(p.threshold);
  form.follow(p);
  whatif.move(place);
  if (switches) switches.search = new URLSearchParams([...new URLSearchParams(switches.search)].filter(([name]) => name !== "at").concat([["at", p.threshold]]));
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
form.wire(choose);
slider.addEventListener("input", soon);
typed.addEventListener("change", () => choose(Number(typed.value)));
choose(read("start"));
