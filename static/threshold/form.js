// The request for a sign-off: what it asks for follows the slider, and it says what cannot be.
import { plan } from "./data.js";

const form = document.getElementById("ask-form");
const inputs = form ? [...form.querySelectorAll("[data-task]")] : [];

const read = () => new Map(inputs.filter((input) => input.value !== "" && input.validity.valid).map((input) => [input.dataset.task, Number(input.value)]));
let known = read();

// The thresholds by task type that the form holds, by name; read when they change, not every frame.
export const own = () => known;

// Where task types go that have no threshold of their own: by the one, or always to the expensive model.
const others = document.getElementById("ask-others");

// What is asked for, as the server reads the form.
function asked(threshold) {
  if (others?.value !== "expensive") return { threshold, tasks: known };
  const enough = inputs.filter((input) => "enough" in input.dataset).map((input) => [input.dataset.task, threshold]);
  return { threshold: 0, tasks: new Map([...enough, ...known]) };
}

// What a sign-off is certified by is decided on the server; this is the same rule, to say so before.
function isCertified(proposed) {
  const { threshold, tasks } = asked(proposed);
  const largest = Math.max(threshold, ...tasks.values());
  if (largest <= 0) return true;
  if (!plan.is_final) return false;
  if (!plan.is_by_task) return plan.certified !== null && largest <= plan.certified;
  return threshold <= 0 && inputs.every((input) => (tasks.get(input.dataset.task) ?? 0) <= Number(input.dataset.certified ?? 0));
}

export function follow(p) {
  if (!form) return;
  document.getElementById("ask").value = p.threshold.toFixed(2);
  const isOpen = isCertified(p.threshold);
  const acknowledge = document.getElementById("acknowledge");
  acknowledge.required = !isOpen && !plan.certified_only;
  document.getElementById("acknowledge-row").hidden = isOpen || plan.certified_only;
  const refused = document.getElementById("ask-refused");
  const why = plan.is_final ? "This plan lets only certified thresholds be signed, and this one is not." : "This plan lets only certified thresholds be signed, and nothing is certified for good before the study is closed.";
  const isRefused = plan.certified_only && !isOpen;
  refused.hidden = !isRefused;
  refused.textContent = isRefused ? why : "";
  document.getElementById("ask-button").disabled = isRefused;
}

export function wire(choose, soon) {
  if (!form) return;
  for (const input of inputs) input.addEventListener("input", () => { known = read(); soon(); });
  others?.addEventListener("change", soon);
  document.getElementById("ask").addEventListener("change", (event) => choose(Number(event.target.value)));
  const rollout = document.getElementById("rollout");
  const at = document.getElementById("at-row");
  const show = () => { at.hidden = rollout.value !== "at"; };
  rollout.addEventListener("change", show);
  show();
  document.getElementById("take-certified")?.addEventListener("click", () => {
    for (const input of inputs) input.value = input.dataset.certified ?? "";
    known = read();
    choose(0); // a task type without a threshold of its own stays with the expensive model
  });
}
