// The rating page: keys, saving in the background, the next pair without a page load.
const place = document.getElementById("pair");
const toast = document.getElementById("toast");
const sheet = document.getElementById("keys");
let last = place.dataset.last || null;
let saving = false;
let active = 0;
let since = performance.now();

const form = () => place.querySelector("form#rating");

function countTime() {
  const now = performance.now();
  if (document.visibilityState === "visible") active += Math.min(now - since, 60000);
  since = now;
}
document.addEventListener("visibilitychange", countTime);
["keydown", "pointerdown", "scroll"].forEach((kind) => document.addEventListener(kind, countTime, true));

function say(text) {
  toast.textContent = text;
  toast.hidden = false;
  setTimeout(() => { toast.hidden = true; }, 8000);
}

function problem(text) {
  const line = place.querySelector("#problem");
  if (!line) return say(text);
  line.textContent = text;
  line.hidden = false;
}

function show(html) {
  place.innerHTML = html;
  active = 0;
  since = performance.now();
  window.scrollTo(0, 0);
}

async function save() {
  const current = form();
  if (!current || saving) return;
  if (!current.reportValidity()) return problem("Answer all three: better (1 to 5, 0), A (q) and B (p).");
  saving = true;
  countTime();
  current.elements.seconds.value = (active / 1000).toFixed(1);
  const token = current.dataset.token;
  try {
    const reply = await fetch(current.action, { method: "POST", body: new FormData(current), headers: { "X-Requested-With": "fetch" } });
    const text = await reply.text();
    if (!reply.ok || reply.redirected) return problem([400, 409].includes(reply.status) ? text : "Not saved: your time for this pair ended or you were logged out. Reload the page.");
    last = token;
    show(text);
    say("Saved. Undo (u)");
  } catch {
    problem("Not saved: the connection is away. Your answers are still here; save again.");
  } finally {
    saving = false;
  }
}

async function undo() {
  if (!last || saving) return;
  try {
    const reply = await fetch(`${place.dataset.base}${last}/again/`);
    if (!reply.ok || reply.redirected) return say("Not found: you were logged out, or it is gone. Reload the page.");
    show(await reply.text());
    say("Your last one, to correct.");
  } catch {
    say("The connection is away; try again.");
  }
}

function toggle(name) {
  const [yes, no] = form().querySelectorAll(`input[name="${name}"]`);
  (yes.checked ? no : yes).checked = true;
}

function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { event.preventDefault(); return save(); }
  const typing = event.target.matches('textarea, select, input:not([type="radio"])');
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat || sheet.open) return;
  if (event.key === "?") { event.preventDefault(); return sheet.showModal(); }
  if (event.key === "u") return undo();
  const current = form();
  if (!current || saving) return;
  const choice = current.querySelector(`input[data-key="${CSS.escape(event.key)}"]`);
  if (choice) { choice.checked = true; event.preventDefault(); }
  else if (event.key === "q") toggle("left_adequate");
  else if (event.key === "p") toggle("right_adequate");
  else if (event.key === "Enter" && !event.target.matches("button, summary, a")) { event.preventDefault(); save(); }
}

document.addEventListener("keydown", onKey);
// The browser would give the focus back to the button, and Enter would open the sheet again.
sheet.addEventListener("close", () => document.activeElement.blur());
place.addEventListener("submit", (event) => { event.preventDefault(); save(); });
place.addEventListener("click", (event) => { if (event.target.closest("#show-keys")) sheet.showModal(); });
