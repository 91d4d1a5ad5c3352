"""Recorded votes of real raters: what their publishers say of them comes out."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from reviews.stats import dawid_skene
from reviews.stats.agreement import cohen, krippendorff, panel
from reviews.stats.judge import admission, flips, quality
from reviews.stats.positions import position_effect

FOLDER = Path(__file__).parents[4] / "shared" / "data"
VALUES = {"cheap": 0, "tie": 1, "expensive": 2}


def labels(name):
    """Read one list of labels per pair, or skip."""
    file = FOLDER / f"{name}.jsonl.gz"
    if not file.exists():
        pytest.skip(f"no recorded votes at {file.name}")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["labels"] for line in lines]


def ratings(rows, rater_type="human"):
    """Put the labels of one type of rater into an array of pairs by raters."""
    kept = [[label for label in row if label["rater_type"] == rater_type] for row in rows]
    names = sorted({label["rater"] for row in kept for label in row})
    said = np.full((len(kept), len(names)), np.nan)
    for place, row in enumerate(kept):
        for label in row:
            said[place, names.index(label["rater"])] = VALUES[label["value"]]
    return said, names


def test_pandalm_reproduces_the_agreement_its_authors_publish():
    said, names = ratings(labels("pandalm_3raters"))
    assert said.shape == (570, 3), names
    pairwise = [cohen(said[:, [a, b]], range(3)) for a, b in ((0, 1), (0, 2), (1, 2))]
    # Published: .85 to .88. Here .862, .884, .861.
    assert [round(kappa, 2) for kappa in pairwise] == [0.86, 0.88, 0.86]
    found = panel(said, range(3), np.random.default_rng(1))
    assert found.alpha_nominal.interval.low < np.mean(pairwise) < found.alpha_nominal.interval.high
    assert (found.n_items, found.n_ratings) == (570, 1710)


def test_pandalm_likely_labels_are_nearly_always_the_majority():
    said, _ = ratings(labels("pandalm_3raters"))
    counts = np.eye(3)[said.astype(int)]
    found = dawid_skene.fit(counts)
    votes = counts.sum(axis=1)
    decided = votes.max(axis=1) >= 2
    same = found.posterior.argmax(axis=1) == votes.argmax(axis=1)
    assert found.converged
    assert same[decided].mean() > 0.98
    assert found.confusion.diagonal(axis1=1, axis2=2)[:, [0, 2]].min() > 0.9


def test_llmfao_people_agree_a_little():
    said, names = ratings(labels("llmfao_crowd"))
    assert (said.shape, np.isfinite(said).sum(), len(names)) == ((821, 122), 3446, 122)
    # Published over all 8,931 votes: .29. These are the 3,446 votes of one part.
    assert krippendorff(said, range(3)) == pytest.approx(0.333, abs=5e-4)
    assert krippendorff(said, range(3), "ordinal") == pytest.approx(0.301, abs=5e-4)
    found = panel(said, range(3), np.random.default_rng(2))
    assert found.prevalence[1] == pytest.approx(0.40, abs=0.005)
    assert found.alpha_ordinal.interval.low < 0.29 < found.alpha_ordinal.interval.high


def test_llmfao_people_have_no_side_but_for_two_of_them():
    decisive = [
        (label["rater"], label["value"] == label["shown_left"])
        for row in labels("llmfao_crowd")
        for label in row
        if label["rater_type"] == "human" and label["value"] != "tie"
    ]
    names, left = zip(*decisive, strict=True)
    found = position_effect(np.array(left), names)
    assert found.n_decisive == 2071
    assert found.share_left == pytest.approx(0.504, abs=5e-4)
    assert found.interval == pytest.approx((0.474, 0.534), abs=5e-4)
    sided = [(r.rater, r.left, r.decisive) for r in found.raters if r.p_holm < 0.05]
    assert sorted(sided) == [("worker11", 6, 38), ("worker37", 30, 35)]


@pytest.mark.parametrize(("judge", "phi"), [("gpt-3.5-turbo-instruct", 0.130), ("gpt-4", 0.270)])
def test_llmfao_judges_are_worth_little_beside_people(judge, phi):
    rows = labels("llmfao_crowd")
    people, _ = ratings(rows)
    judges, names = ratings(rows, "llm_judge")
    verdict = judges[:, names.index(judge)]
    share = np.nanmean(np.where(np.isnan(people), np.nan, people == VALUES["expensive"]), axis=1)
    found = quality(verdict == 2, share, np.ones(len(rows)), np.random.default_rng(3))
    assert found.phi.value == pytest.approx(phi, abs=5e-4)
    assert found.worth.interval.high < 1.15
    flipped = flips(verdict.astype(int) - 1, verdict.astype(int) - 1)
    assert admission(flipped, found).use == "disabled"
