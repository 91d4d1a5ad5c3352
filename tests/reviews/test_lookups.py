"""What looking up costs is in every cost; the curve can be cut by how and how surely."""

from decimal import Decimal

import numpy as np
import pytest

from reviews import estimation, frames, lookups, parts, sampling, whatif
from reviews.parts import Part
from routing import policy
from tests.reviews.rows import add_pair, add_retrieval

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    """Five pairs: three looked up, one with the client's context, one without anything."""
    kinds = [("bm25", 0.1), ("hybrid", 0.5), ("hybrid", 0.9), ("client", None), None]
    for n, kind in enumerate(kinds):
        pair = add_pair(project, n / 10, cheap_usd="0.01", expensive_usd="0.05")
        if kind:
            add_retrieval(
                pair, strategy=kind[0], confidence=kind[1], ms=float(n), cost_usd=Decimal("0.002")
            )
    return sampling.start(policy.live(project), name="s", seed="7", rate=1.0)


def last(study):
    return estimation.Moment.now(study).draw_id


def test_a_lookup_is_in_all_three_costs_and_in_no_saving(study):
    rows = frames.draws(study, last(study))
    assert rows.cost_cheap.round(4).tolist() == [0.012] * 4 + [0.01]
    assert rows.cost_expensive.round(4).tolist() == [0.052] * 4 + [0.05]
    assert np.array_equal(rows.cost_baseline, rows.cost_expensive)
    assert (rows.cost_expensive - rows.cost_cheap).round(6).tolist() == [0.04] * 5
    decided = frames.by_router(study, study.router_id, rows, last(study))
    assert np.allclose(decided.cost_cheap, rows.cost_cheap)
    assert np.allclose(decided.cost_expensive, rows.cost_expensive)


def test_a_lookup_of_unknown_price_makes_the_costs_unknown(project, study):
    add_retrieval(add_pair(project, 0.9), cost_usd=None)
    sampling.extend(study)
    rows = frames.draws(study, last(study))
    assert np.isnan([rows.cost_cheap[-1], rows.cost_expensive[-1], rows.cost_baseline[-1]]).all()
    assert whatif.as_json(study, last(study))["n_unknown"] == 1


def test_what_looking_up_took_is_summed_over_the_study(study):
    found = lookups.of(study, last(study))
    assert (found.n, found.ms_p50, found.n_rewritten) == (4, 1.5, 0)
    assert found.usd_per_1000 == pytest.approx(2.0)
    assert lookups.of(study, 0) == lookups.Lookups(0)


def test_what_if_pays_for_lookups_whoever_answers(study):
    *_, whole = whatif.as_json(study, last(study))["tasks"]["math"]
    named = dict(zip(whatif.COLUMNS, whole, strict=True))
    # Each lookup costs a fifth of a cheap answer of three tokens in and two out.
    assert named["lookup_input"] == pytest.approx(4 * 0.2 * 3)
    assert named["lookup_output"] == pytest.approx(4 * 0.2 * 2)


@pytest.mark.parametrize(
    ("part", "n"),
    [
        (Part(strategy="hybrid"), 2), (Part(strategy="client"), 1), (Part(strategy="none"), 1),
        (Part(confidence="low"), 1), (Part(confidence="medium"), 1), (Part(confidence="high"), 1),
        (Part(confidence="none"), 2), (Part(strategy="bm25", confidence="high"), 0),
        (Part(strategy="never heard of"), 0),
    ],
)  # fmt: skip
def test_the_curve_is_cut_by_strategy_and_by_confidence(study, part, n):
    assert not part.is_whole
    assert parts.view(study, estimation.estimate(study), part).n_frame == n


def test_the_page_offers_the_cuts_and_says_that_a_part_is_not_certified(as_role, study):
    client = as_role("lead")
    page = client.get("/threshold/", {"study": study.pk, "strategy": "hybrid"}).text
    assert "retrieval: hybrid" in page
    assert "nothing here is certified or signed" in page
    assert "For 4 pairs something was looked up: 2 ms p50" in page
    assert "$2 per 1,000" in page
    assert "whether what was found or the model is at fault is not known" in page
    assert client.get("/threshold/", {"study": study.pk, "confidence": "low"}).status_code == 200


def test_a_study_without_lookups_shows_none(as_role, project):
    add_pair(project, 0.2)
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0)
    page = as_role("lead").get("/threshold/", {"study": study.pk}).text
    assert 'id="retrieval"' not in page
    assert 'name="strategy"' not in page
