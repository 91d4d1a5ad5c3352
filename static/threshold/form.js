// The request for a sign-off: what it asks for follows the slider, and it says what cannot be.
import { plan } from "./data.js";

const form = document.getElementById("ask-form");

export function follow(p) {
  if (!form) return;
  document.getElementById("ask").value = p.threshold.toFixed(2);
  const isOpen = p.certified || !p.cheap_count;
  const acknowledge = document.getElementById("acknowledge");
  acknowledge.required = !isOpen && !plan.certified_only;
  document.getElementById("acknowledge-row").hidden = isOpen || plan.certified_only;
  const refused = document.getElementById("ask-refused");
  const why = plan.is_final ? "This plan lets only certified thresholds be signed, and this one is not." : "This plan lets only certified thresholds be signed, and nothing is certified for good before the study is closed.";
  const isRefused = plan.certified_only && (!plan.is_final || !p.certified) && p.cheap_count > 0;
  refused.hidden = !isRefused;
  refused.textContent = isRefused ? why : "";
  document.getElementById("ask-button").disabled = isRefused;
}

export function wire(choose) {
  if (!form) return;
  document.getElementById("ask").addEventListener("change", (event) => choose(Number(event.target.value)));
  const rollout = document.getElementById("rollout");
  const at = document.getElementById("at-row");
  const show = () => { at.hidden = rollout.value !== "at"; };
  rollout.addEventListener("change", show);
  show();
  document.getElementById("take-certified")?.addEventListener("click", () => {
    for (const input of form.querySelectorAll("[data-certified]")) input.value = input.dataset.certified;
    choose(0); // a task type without a threshold of its own stays with the expensive model
  });
}
