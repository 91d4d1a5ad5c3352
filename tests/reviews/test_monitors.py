"""Each monitor sees what it is there for in the traffic of a live sign-off, and nothing else."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from reviews import monitors, sampling
from reviews.monitors import embeddings, models
from reviews.monitors import watched as traffic
from routing import policy
from routing.models import Decision
from tests.reviews import live
from tests.reviews.rows import add_pairs

STRANGE = "Explain the tidal locking of moons around gas giants in our solar system"


def read(signed, days):
    """Return what each monitor sees after so many days, and which requests show it."""
    watched = monitors.of(signed, live.midnight(days))
    seen = {one.name: one.read(watched) for one in monitors.ALL}
    loud = {name for name, one in seen.items() if one.signal.level in ("warn", "alarm")}
    return seen, loud, {name: monitors.BY_NAME[name].typical(watched) for name in loud}


@pytest.mark.django_db
def test_the_same_traffic_is_within_every_limit_and_each_change_rings_its_own_monitor(project):
    signed = live.signed(project)
    assert monitors.of(signed, live.midnight(0)) is None
    live.serve(project, range(7))
    seen, loud, _ = read(signed, 7)
    quiet = {name for name, one in seen.items() if one.signal.level == "quiet"}
    assert (loud, quiet) == (set(), {"escalations", "judge", "living", "prices"})
    new = live.serve(
        project, range(7, 14), score=lambda x: x * 0.5, task="code", usd="0.09", model="new-1",
        query=STRANGE,
    )  # fmt: skip
    seen, loud, typical = read(signed, 14)
    assert loud == {"scores", "cheap_share", "tasks", "cost", "models", "embeddings"}
    assert all(len(ids) == 10 and set(ids) <= set(new) for ids in typical.values())
    assert seen["models"].signal.value == 2  # of both tiers
    assert "expensive new-1" in seen["models"].sentence
    assert "code is 100.0%, and was 0.0%" in seen["tasks"].sentence
    assert {row.name: row.now for row in seen["tasks"].rows} == {"math": 0, "writing": 0, "code": 1}
    assert seen["cost"].rows[-1].now == pytest.approx(0.09)
    assert seen["cost"].rows[0].before < 0.05


@pytest.mark.django_db
def test_a_week_that_is_not_whole_is_compared_with_none(project):
    signed = live.signed(project)
    live.serve(project, range(6), task="code", score=lambda x: x * 0.5)
    seen, _, _ = read(signed, 6)
    assert {seen[name].signal.level for name in ("scores", "tasks", "embeddings")} == {"quiet"}
    assert "seven whole days" in seen["tasks"].sentence


def test_a_row_that_stands_for_half_as_many_requests_is_kept_half_as_often():
    n = 4000
    order = np.random.default_rng(1).integers(0, 2**64, n, np.uint64)
    columns = SimpleNamespace(order=order, traffic=np.repeat([1.0, 2.0], n // 2))
    kept = traffic._thinned(columns)
    assert kept[n // 2 :].all()
    assert kept[: n // 2].mean() == pytest.approx(0.5, abs=0.04)


@pytest.mark.django_db
def test_what_retention_left_of_a_day_is_no_sample_of_it(project):
    signed = live.signed(project)
    live.serve(project, range(9))
    project = signed.project
    project.retention_days = 3
    project.save()
    before = of_days(signed, 9).end - timedelta(days=3)
    Decision.objects.filter(request__received_at__lt=before, tier="cheap").delete()
    watched = of_days(signed, 9)
    assert (watched.end - watched.begin).days == 2
    assert len(watched.dates()) == 2
    assert monitors.BY_NAME["cheap_share"].read(watched).signal.level == "ok"
    project.retention_days = 1
    assert (watched.end - of_days(signed, 9).begin).days == 1


def of_days(signed, days):
    return monitors.of(signed, live.midnight(days))


@pytest.mark.django_db
def test_a_model_that_answered_in_the_study_unrated_is_known(project):
    add_pairs(project, [0.2] * 20)
    study = sampling.start(policy.live(project), name="s", seed="s", rate=0.01)
    assert study.sample.filter(selected=True).count() < 20
    of_study = SimpleNamespace(signed=SimpleNamespace(study=study))
    assert models._known(of_study) == {"cheap m": 20, "expensive m": 20}


@pytest.mark.django_db
def test_questions_of_the_study_count_as_the_requests_that_they_stand_for(project):
    signed = live.signed(project)
    watched = of_days(signed, 1)
    kept = watched.reference.pair_id[::2]
    vars(watched)["reference"] = replace(watched.reference, pair_id=kept)
    studied = embeddings._before(watched).values_list("pair", flat=True)
    assert set(studied) == set(kept.tolist())


@pytest.mark.django_db
def test_costs_are_not_compared_where_the_study_knows_too_few(project):
    signed = live.signed(project)
    live.serve(project, range(7))
    watched = of_days(signed, 7)
    cost = watched.reference.cost.copy()
    cost[: cost.size // 5] = np.nan
    vars(watched)["reference"] = replace(watched.reference, cost=cost)
    seen = monitors.BY_NAME["cost"].read(watched)
    assert seen.signal.level == "quiet"
    assert "Of 20% of the study’s requests the cost is unknown" in seen.sentence
