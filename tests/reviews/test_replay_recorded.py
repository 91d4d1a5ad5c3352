"""Recorded answers of two real models: the curve equals what the file and the scores give."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from reviews import estimation, replay
from reviews.models import Study
from routing.models import ShadowPair

FILE = Path(__file__).parents[3] / "shared" / "data" / "zeroeval_claude35_haiku_sonnet.jsonl.gz"
_USD_PER_TOKEN = {"cheap": (0.8e-6, 4e-6), "expensive": (3e-6, 15e-6)}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILE.exists(), reason=f"no recorded answers at {FILE.name}"),
    pytest.mark.filterwarnings("ignore:The model:DeprecationWarning"),
]


def _cost(row, tier):
    prompt_usd, completion_usd = _USD_PER_TOKEN[tier]
    tokens = row["tokens_est"]
    return tokens["prompt"] * prompt_usd + tokens[tier] * completion_usd


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(600)
def test_curve_equals_a_count_over_the_file(service, worker):
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        rows = {row["query"]: row for row in map(json.loads, lines)}
    result = replay.run(FILE, url=service, limit=300)
    assert result.complete
    estimate = estimation.estimate(Study.objects.get(project__slug=result.slug))
    stored = ShadowPair.objects.filter(project__slug=result.slug)
    scored = [
        (score, rows[query])
        for score, query in stored.values_list("score", "request__query")
        if score is not None
    ]
    score = np.array([value for value, _ in scored])
    fit_cheap, fit_expensive = (
        np.array([row["labels"][0]["value"][tier] for _, row in scored], dtype=float)
        for tier in ("cheap", "expensive")
    )
    cost = {tier: np.array([_cost(row, tier) for _, row in scored]) for tier in _USD_PER_TOKEN}
    assert len(estimate.points) == 102
    for point in estimate.points:
        cheap = score < point["threshold"]
        assert point["cheap_share"] == pytest.approx(cheap.mean(), abs=1e-9)
        mean_cost = np.where(cheap, cost["cheap"], cost["expensive"]).mean()
        assert point["cost_usd"] == pytest.approx(mean_cost, abs=1e-9)
        if cheap.any():
            assert point["adequacy"] == pytest.approx(fit_cheap[cheap].mean(), abs=1e-9)
            worse = (fit_expensive > fit_cheap) & cheap
            assert point["degradation"] == pytest.approx(worse.mean(), abs=1e-9)
