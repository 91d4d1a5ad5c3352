// The two answers: tabs on a phone, scrolling together, folding, differences.
const SYNC = "shadoweval.sync";
let together = localStorage.getItem(SYNC) !== "no";

const press = (button, on) => button && button.setAttribute("aria-pressed", String(on));
const answers = (place) => [place.querySelector("#answer-a"), place.querySelector("#answer-b")];

function follow(from, to) {
  const room = from.scrollHeight - from.clientHeight;
  const share = room > 0 ? from.scrollTop / room : 0;
  to.scrollTop = share * (to.scrollHeight - to.clientHeight);
}

export function prepare(place) {
  const [a, b] = answers(place);
  if (!a) return;
  // The pane that follows fires events of its own: only the one under the pointer or focus leads.
  let leader = null;
  for (const [one, other] of [[a, b], [b, a]]) {
    for (const kind of ["pointerenter", "pointerdown", "focus", "keydown"]) one.addEventListener(kind, () => { leader = one; });
    one.addEventListener("scroll", () => { if (together && leader === one) follow(one, other); }, { passive: true });
  }
  press(place.querySelector("[data-does=sync]"), together);
  const guidelines = place.querySelector("#guidelines");
  if (window.matchMedia("(max-width: 70rem)").matches) guidelines.open = false;
}

export function tab(place, side, focus = true) {
  const panes = place.querySelector(".panes");
  if (!panes) return;
  panes.dataset.tab = side;
  for (const name of ["a", "b"]) {
    const head = place.querySelector(`#tab-${name}`);
    head.setAttribute("aria-selected", String(name === side));
    head.tabIndex = name === side ? 0 : -1;
  }
  if (focus) place.querySelector(`#answer-${side}`).focus();
}

export function sync(place) {
  together = !together;
  try { localStorage.setItem(SYNC, together ? "yes" : "no"); } catch { /* kept for this page only */ }
  press(place.querySelector("[data-does=sync]"), together);
}

export function fold(place) {
  const panes = place.querySelector(".panes");
  const button = place.querySelector("[data-does=fold]");
  if (!button) return;
  const open = panes.toggleAttribute("data-folded") === false;
  press(button, open);
  button.firstChild.textContent = open ? "Fold both " : "Unfold both ";
}

export async function differences(place, address) {
  const button = place.querySelector("[data-does=differences]");
  const [a, b] = answers(place);
  if (button.getAttribute("aria-pressed") === "true") {
    [a, b].forEach((one) => { one.replaceChildren(...one.asRead); one.classList.remove("differs"); });
    return press(button, false);
  }
  const reply = await fetch(address, { headers: { "X-Requested-With": "fetch" } });
  if (!reply.ok || reply.redirected) throw new Error(String(reply.status));
  const found = new DOMParser().parseFromString(await reply.text(), "text/html");
  const parts = found.querySelectorAll("template");
  [a, b].forEach((one, n) => {
    one.asRead = [...one.childNodes];
    one.classList.add("differs");
    one.replaceChildren(parts[n].content.cloneNode(true));
  });
  press(button, true);
  return found.body.textContent.trim();
}
