// Time on the page: active time without idle minutes, and the lease that it keeps alive.
const IDLE_MS = 30000;
const RENEW_MS = 60000;
const QUIET_UNTIL_S = 60;

let active = 0;
let since = performance.now();
let touched = since;

function count() {
  const now = performance.now();
  if (document.visibilityState === "visible") active += Math.min(now - since, IDLE_MS);
  since = now;
}

function touch() {
  count();
  touched = since;
}

document.addEventListener("visibilitychange", count);
["keydown", "pointerdown", "pointermove", "scroll"].forEach((kind) => document.addEventListener(kind, touch, { capture: true, passive: true }));

export function restart() {
  active = 0;
  since = touched = performance.now();
}

export function seconds() {
  count();
  return active / 1000;
}

// Keeps the pair on screen while somebody works on it; tells when it is about to go.
export function lease({ form, csrf, onLost }) {
  const line = form.querySelector("#lease");
  let ends = performance.now() + Number(form.dataset.lease) * 1000;
  let renewed = performance.now();
  let asking = false;
  if (!Number(form.dataset.lease)) return () => {};

  async function renew() {
    asking = true;
    try {
      const reply = await fetch(`${form.getAttribute("action")}renew/`, { method: "POST", headers: { "X-CSRFToken": csrf(), "X-Requested-With": "fetch" } });
      if (reply.ok && !reply.redirected) ends = performance.now() + (await reply.json()).lease_s * 1000;
      else onLost(await reply.text(), reply.status);
      renewed = performance.now();
    } catch { /* the connection is away: the next second tries again */ } finally { asking = false; }
  }

  function tick() {
    const now = performance.now();
    const left = Math.ceil((ends - now) / 1000);
    if (!asking && touched > renewed && now - renewed > Math.min(RENEW_MS, (left * 1000) / 2 + 1000)) renew();
    line.hidden = left > QUIET_UNTIL_S;
    if (!line.hidden) line.textContent = left > 0 ? `Yours for ${left} s more: any key keeps it` : "Your time for this pair ran out: any key takes it again, if it is free";
  }
  const timer = setInterval(tick, 1000);
  return () => clearInterval(timer);
}
