// The figures under the sentence, each with its interval and what it was counted from.
import { plan } from "./data.js";
import { between, money, percent, small, whole } from "./format.js";

const put = (id, text) => {
  const element = document.getElementById(id);
  if (element) element.textContent = text;
};

function month(p) {
  if (p.month_usd === null) return ["unknown", plan.no_money || "costs are unknown"];
  const requests = plan.requests_a_month === null ? "" : `, ${whole(plan.requests_a_month)} requests a month`;
  return [money(p.month_usd), `${money(p.month_usd_low)} to ${money(p.month_usd_high)}, ${plan.n_days} days${requests}`];
}

export function show(p) {
  put("f-share", percent(p.cheap_share));
  put("f-share-n", `${whole(p.cheap_count)} / ${whole(plan.n_frame)} pairs`);
  put("f-worse", percent(p.degradation));
  put("f-worse-n", p.degradation === null ? "nothing rated" : `${between(p.band_low, p.band_high)}; ${p.events} / ${p.n_harm} rated${p.weights_too_unequal ? "; weights too unequal for a short interval" : ""}`);
  put("f-judge", p.judge_degradation === null ? "with the judge: not known" : `with the judge: ${percent(p.judge_degradation)} (${between(p.judge_low, p.judge_high)})`);
  put("f-adequate", percent(p.adequacy));
  put("f-adequate-n", p.adequacy === null ? "nothing rated that goes cheap" : `${between(p.adequacy_low, p.adequacy_high)}; ${p.adequate} / ${p.n_adequacy} rated`);
  put("f-cost", small(p.cost_usd));
  put("f-cost-n", p.saving_share === null ? "costs are unknown" : `${percent(p.saving_share)} less than ${small(p.baseline_cost_usd)} always expensive`);
  const [saved, from] = month(p);
  put("f-month", saved);
  put("f-month-n", from);
}
