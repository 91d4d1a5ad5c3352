// The rating page: keys, saving in the background, the next step without a page load.
import * as citations from "./citations.js";
import * as clock from "./clock.js";
import * as draft from "./draft.js";
import * as panes from "./panes.js";

const place = document.getElementById("pair");
const toast = document.getElementById("toast");
const sheet = document.getElementById("keys");
// Adjudications have none: what was settled stays.
const mineSheet = document.getElementById("mine");
const FETCH = { "X-Requested-With": "fetch" };
let last = place.dataset.last || null;
let busy = false;
let stopLease = () => {};
let hideToast = 0;

const form = () => place.querySelector("form#rating");
const step = () => place.querySelector("[data-step]");
const csrf = () => place.querySelector("[name=csrfmiddlewaretoken]")?.value || "";
const narrow = () => window.matchMedia("(max-width: 56rem)").matches;

function say(text, undo = false) {
  document.getElementById("toast-text").textContent = text;
  document.getElementById("toast-undo").hidden = !undo;
  toast.hidden = false;
  clearTimeout(hideToast);
  hideToast = setTimeout(() => { toast.hidden = true; }, 8000);
}

function problem(text) {
  const line = place.querySelector("#problem");
  if (!line) return say(text);
  line.textContent = text;
  line.hidden = false;
}

function begin() {
  stopLease();
  clock.restart();
  const current = form();
  if (!current) return place.querySelector(".focus-first")?.focus();
  panes.prepare(place);
  citations.prepare(place);
  if (draft.restore(current)) say("Your draft of this pair is back.");
  stopLease = clock.lease({ form: current, csrf, onLost: (text, status) => problem(status === 409 ? `${text} Your answers stay here; a reload goes on.` : "You were logged out, or this pair is gone. Your answers are kept: reload the page.") });
}

function show(html) {
  place.querySelectorAll("dialog[open]").forEach((one) => one.close());
  place.innerHTML = html;
  window.scrollTo(0, 0);
  begin();
}

// Sends something and shows the step that comes back; says what went wrong otherwise.
async function send(address, body, failed) {
  if (busy) return false;
  busy = true;
  try {
    const reply = await fetch(address, body ? { method: "POST", body, headers: FETCH } : { headers: FETCH });
    const text = await reply.text();
    if (reply.ok && !reply.redirected) { show(text); return true; }
    problem([400, 409].includes(reply.status) ? text : failed);
  } catch {
    problem("The connection is away. Your answers are kept in this browser; try again.");
  } finally {
    busy = false;
  }
  return false;
}

async function save() {
  const current = form();
  if (!current || busy) return;
  if (!current.reportValidity()) return problem(current.dataset.incomplete || "Answer all three: better (1 to 5, 0), A (q) and B (p).");
  current.elements.seconds.value = clock.seconds().toFixed(1);
  const token = current.dataset.token;
  if (!await send(current.action, new FormData(current), "Not saved: you were logged out. Your answers are kept; reload the page.")) return;
  draft.forget(token);
  last = token;
  say("Saved. ", Boolean(mineSheet));
}

async function again(token) {
  if (await send(`${place.dataset.base}${token}/again/`, null, "Not found: you were logged out, or it is gone. Reload the page.")) say(place.querySelector("[data-does=leave]") ? "One of yours, to correct." : "Back again.");
}

function undo() {
  if (!mineSheet) return;
  if (last) return again(last);
  say("Nothing to undo yet.");
}

async function mine() {
  if (!mineSheet) return;
  try {
    const reply = await fetch(`${place.dataset.base}mine/`, { headers: FETCH });
    if (!reply.ok || reply.redirected) return say("You were logged out. Reload the page.");
    document.getElementById("mine-rows").innerHTML = await reply.text();
    mineSheet.showModal();
  } catch {
    say("The connection is away; try again.");
  }
}

async function differences() {
  try {
    const note = await panes.differences(place, `${form().getAttribute("action")}differences/`);
    if (note) say(note);
  } catch {
    say("The differences could not be loaded; try again.");
  }
}

function flash(element) {
  if (!element) return;
  element.classList.add("flash");
  setTimeout(() => element.classList.remove("flash"), 160);
}

function choose(input) {
  input.checked = true;
  flash(input);
  draft.keep(form());
}

function toggle(name) {
  const [yes, no] = form().querySelectorAll(`input[name="${name}"]`);
  choose(yes.checked ? no : yes);
}

// Yes, no, not said, and from the beginning; nothing where there are no sources.
function cycle(name) {
  const answers = [...form().querySelectorAll(`input[name="${name}"]`)];
  const next = (answers.findIndex((one) => one.checked) + 1) % answers.length;
  if (answers.length) choose(answers[next]);
}

function sources() {
  const list = place.querySelector("#sources");
  if (!list) return;
  list.open = !list.open;
  if (!list.open) return;
  list.scrollIntoView({ block: "nearest" });
  list.querySelector("section")?.focus({ preventScroll: true });  // arrow keys scroll the list
}

function comment() {
  form().querySelector(".more").open = true;
  document.getElementById("comment").focus();
}

const DOES = {
  keys: () => sheet.showModal(),
  mine,
  undo,
  leave: () => send(`${place.dataset.base}next/`, null, "You were logged out. Reload the page."),
  skip: () => { if (place.querySelector("[data-does=leave]")) return DOES.leave(); if (!place.querySelector("[data-does=skip]")?.hidden) place.querySelector("#skip")?.showModal(); },
  "close-skip": () => place.querySelector("#skip").close(),
  differences,
  fold: () => panes.fold(place),
  sync: () => panes.sync(place),
  sources,
  guidelines: () => { const rail = place.querySelector("#guidelines"); rail.open = !rail.open; if (rail.open && narrow()) rail.scrollIntoView({ block: "nearest" }); },
};
const ANYWHERE = { "?": "keys", m: "mine", u: "undo" };
const ON_PAIR = { s: "skip", d: "differences", f: "fold", y: "sync", g: "guidelines", n: "sources" };

// Returns whether the key meant something on the pair.
function onPair(key, target) {
  const choice = form().querySelector(`input[data-key="${CSS.escape(key)}"]`);
  if (choice) choose(choice);
  else if (key === "q") toggle("left_adequate");
  else if (key === "p") toggle("right_adequate");
  else if (key === "w") cycle("left_supported");
  else if (key === "o") cycle("right_supported");
  else if (key === "a" || key === "b") panes.tab(place, key);
  else if (key === "c") comment();
  else if (key === "Enter" && !target.matches("button, summary, a, input[type=checkbox]")) save();
  else if (ON_PAIR[key]) { flash(place.querySelector(`[data-does=${ON_PAIR[key]}]`)); DOES[ON_PAIR[key]](); }
  else return false;
  return true;
}

function onStep(key, target) {
  const button = place.querySelector(`.advance button[data-key="${CSS.escape(key)}"]`) || (key === "Enter" && !target.matches("button, summary, a") && place.querySelector(".advance .primary"));
  if (button) { flash(button); button.click(); }
  return Boolean(button);
}

function onTab(event) {
  const other = event.target.id === "tab-a" ? "b" : "a";
  panes.tab(place, other, false);
  place.querySelector(`#tab-${other}`).focus();
  event.preventDefault();
}

function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { event.preventDefault(); return save(); }
  if (event.target.matches("[role=tab]") && ["ArrowLeft", "ArrowRight"].includes(event.key)) return onTab(event);
  if (event.key === "Escape" && event.target.id === "comment") return event.target.blur();
  const typing = event.target.matches('textarea, select, input:not([type="radio"], [type="checkbox"])');
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat || busy) return;
  const skipping = place.querySelector("#skip[open]");
  if (skipping) { skipping.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click(); return; }
  if (document.querySelector("dialog[open]")) return;
  if (ANYWHERE[event.key]) { event.preventDefault(); return DOES[ANYWHERE[event.key]](); }
  if (form() ? onPair(event.key, event.target) : onStep(event.key, event.target)) event.preventDefault();
}

function onSubmit(event) {
  const sent = event.target;
  if (sent.method === "dialog") return;
  event.preventDefault();
  if (sent.id === "rating") return save();
  const body = new FormData(sent, event.submitter);
  const failed = "Not saved: you were logged out. Reload the page.";
  if (sent.dataset.fetch) return send(sent.dataset.fetch, null, failed);
  const skipped = sent.closest("#skip") && form().dataset.token;
  send(sent.action, body, failed).then((isDone) => { if (isDone && skipped) { draft.forget(skipped); last = skipped; say("Skipped. ", true); } });
}

document.documentElement.classList.add("js");
document.addEventListener("keydown", onKey);
// The browser would give the focus back to the button, and Enter would open the sheet again.
[sheet, mineSheet].filter(Boolean).forEach((one) => one.addEventListener("close", () => document.activeElement.blur()));
place.addEventListener("submit", onSubmit);
place.addEventListener("input", () => { if (form()) draft.keep(form()); });
document.addEventListener("click", (event) => {
  const does = event.target.closest("[data-does]");
  const head = event.target.closest("[role=tab]");
  const earlier = event.target.closest("#mine a");
  if (does) DOES[does.dataset.does]();
  else if (head) panes.tab(place, head.id.slice(-1), false);
  else if (earlier) { event.preventDefault(); mineSheet.close(); again(earlier.dataset.token); }
});
document.getElementById("toast-undo").addEventListener("click", undo);
document.querySelector("form.who")?.addEventListener("submit", draft.forgetAll);
begin();
