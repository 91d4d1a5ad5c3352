"""Each monitor sees what it is there for in the traffic of a live sign-off, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest

from reviews import monitors
from reviews.monitors import watched as traffic
from tests.reviews import live

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
    assert (loud, quiet) == (set(), {"escalations", "judge", "living"})
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


def test_a_row_that_stands_for_half_as_many_requests_is_kept_half_as_often():
    n = 4000
    order = np.random.default_rng(1).integers(0, 2**64, n, np.uint64)
    columns = SimpleNamespace(order=order, traffic=np.repeat([1.0, 2.0], n // 2))
    kept = traffic._thinned(columns)
    assert kept[n // 2 :].all()
    assert kept[: n // 2].mean() == pytest.approx(0.5, abs=0.04)
