// What was chosen and typed, kept in this browser until it is saved: a lost connection loses nothing.
const NAME = "shadoweval.draft";
const MOST = 20;

const read = () => { try { return JSON.parse(localStorage.getItem(NAME)) || {}; } catch { return {}; } };
const write = (drafts) => { try { localStorage.setItem(NAME, JSON.stringify(drafts)); } catch { /* no room, or none allowed */ } };

export function keep(form) {
  const { csrfmiddlewaretoken, seconds, ...said } = Object.fromEntries(new FormData(form));
  said.reasons = new FormData(form).getAll("reasons");
  const drafts = { ...read(), [form.dataset.token]: said };
  write(Object.fromEntries(Object.entries(drafts).slice(-MOST)));
}

export function forget(token) {
  const drafts = read();
  delete drafts[token];
  write(drafts);
}

// Somebody else may use this browser next.
export function forgetAll() {
  localStorage.removeItem(NAME);
}

// Fills the form with what was said before; returns whether there was anything.
export function restore(form) {
  const said = read()[form.dataset.token];
  if (!said) return false;
  for (const name of ["choice", "left_adequate", "right_adequate", "left_supported", "right_supported"]) {
    const input = said[name] && form.querySelector(`input[name="${name}"][value="${CSS.escape(said[name])}"]`);
    if (input) input.checked = true;
  }
  form.querySelectorAll("input[name=reasons]").forEach((box) => { box.checked = said.reasons.includes(box.value); });
  form.elements.comment.value = said.comment || "";
  if (said.comment || said.reasons.length) form.querySelector(".more").open = true;
  return true;
}
