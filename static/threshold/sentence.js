// The one sentence on top: what is known of a threshold, and never an estimate in place of it.
import { plan } from "./data.js";
import { money, percent } from "./format.js";

const HARM = {
  harm: "of all requests get a worse answer",
  inadequate: "of all requests get an answer that is not good enough",
  strict_harm: "of all requests get a worse answer that is not good enough",
};

const promise = () => `at most ${percent(plan.floor, plan.floor < 0.01 ? 1 : 0)} ${HARM[plan.loss]}`;

function quality(p) {
  if (!plan.is_certifying) return ". Whether the floor holds is not said of a part of the traffic, nor by a judge alone";
  const sure = `${percent(plan.confidence, 0)} sure that ${promise()}`;
  if (p.certified) return plan.is_final ? `; we are ${sure}` : `; if the study closed now, we would be ${sure}`;
  const missing = plan.missing ? ` ${plan.missing}` : "";
  return `. Not certified: we are not ${sure}.${missing}`;
}

function saving(p) {
  if (p.month_usd === null) return plan.no_money;
  return `about ${money(p.month_usd)} a month saved (${money(p.month_usd_low)} to ${money(p.month_usd_high)}, from ${plan.n_days} days)`;
}

export function sentence(p) {
  const at = `At ${p.threshold.toFixed(2)}`;
  if (p.cheap_share === null) return `${at}, nothing is known: there are no pairs.`;
  if (!p.cheap_count) return `${at}, every request goes to the expensive model: nothing gets worse and nothing is saved.`;
  const text = `${at}, ${percent(p.cheap_share, 0)} of requests go to the cheap model${quality(p)}`;
  const saved = saving(p);
  const isEnded = text.endsWith(".");
  if (!saved) return isEnded ? text : `${text}.`;
  return isEnded ? `${text} ${saved[0].toUpperCase()}${saved.slice(1)}.` : `${text}; ${saved}.`;
}
