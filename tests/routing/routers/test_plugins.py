"""Packages bring routers of their own; a broken one is logged, left out, and harms no other."""

import logging

import pytest

from routing import routers
from routing.hands import Pools
from routing.routers import arrays, constant, hybrid
from routing.types import Score
from tests.routing import plugins

ARTIFACT = arrays.dumps({})
CODE = """
class Shouts(Base):
    is_instant = True
    def score(self, query):
        return Score(float(query.isupper()))
SHOUTS = kind("shouts", Shouts())
OTHER = kind("other", Shouts())
RULES = kind("rules", Shouts())
NO_KIND = 3
"""


def test_its_router_is_loaded_with_the_parts_that_any_has_and_scored_in_a_thread(
    tmp_path, monkeypatch
):
    plugins.install(tmp_path, "loud_router", CODE, shouts="SHOUTS")
    monkeypatch.syspath_prepend(tmp_path)
    router = routers.load("shouts", ARTIFACT, "")
    assert (router.score("WHY?"), router.score("why?")) == (Score(1.0), Score(0.0))
    assert router.score("hello") == router.recall("hello") == Score(0.0, "greeting")
    assert router.recall("WHY?") is None
    assert not router.is_instant


def test_a_hybrid_around_it_is_kept_from_our_threads_as_it_is_itself(tmp_path, monkeypatch):
    plugins.install(tmp_path, "loud_within", CODE, shouts="SHOUTS")
    monkeypatch.syspath_prepend(tmp_path)
    ours = hybrid.Inner(constant.CONSTANT.name, "", constant.dumps(0.5))
    around = (ours, hybrid.Inner("shouts", "", ARTIFACT))
    trusted, strange = (routers.load("hybrid", hybrid.dumps({}, inner), "") for inner in around)
    pools = Pools("t")
    assert pools.of(strange) is pools.of(routers.load("shouts", ARTIFACT, ""))
    assert pools.of(trusted) is not pools.of(strange)
    assert not strange.is_instant


@pytest.mark.parametrize(
    ("module", "code", "point", "said"),
    [
        ("raises_at_import", "1 / 0", {"shouts": "SHOUTS"}, "cannot be imported"),
        ("leaves_at_import", "raise SystemExit(1)", {"shouts": "SHOUTS"}, "cannot be imported"),
        ("holds_nothing", "", {"shouts": "SHOUTS"}, "cannot be imported"),
        ("takes_a_name", CODE, {"rules": "RULES"}, "there already"),
        ("is_no_kind", CODE, {"shouts": "NO_KIND"}, "no Kind of this name"),
        ("has_another_name", CODE, {"shouts": "OTHER"}, "no Kind of this name"),
    ],
)
def test_one_that_is_broken_is_logged_and_left_out(
    module, code, point, said, tmp_path, monkeypatch, caplog
):
    plugins.install(tmp_path, module, code, **point)
    plugins.install(tmp_path, f"sound_beside_{module}", CODE, other="OTHER")
    monkeypatch.syspath_prepend(tmp_path)
    with caplog.at_level(logging.ERROR):
        found = routers.kinds()
    assert "shouts" not in found
    assert "other" in found
    assert found["rules"] is constant.RULES
    assert said in caplog.text


def test_one_that_leaves_while_it_is_loaded_takes_nobody_with_it(tmp_path, monkeypatch):
    code = """
def leave(artifact, embedder):
    raise SystemExit(1)
LEAVES = Kind("leaves", "leaves", "what", "when", "cost", leave)
"""
    plugins.install(tmp_path, "leaves_at_load", code, leaves="LEAVES")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="cannot be read: SystemExit"):
        routers.load("leaves", ARTIFACT, "")


def test_every_kind_that_comes_along_has_a_card_and_a_way_to_be_made():
    for name, kind in routers.kinds().items():
        assert kind.name == name
        assert all((kind.title, kind.what, kind.when, kind.cost))
        assert kind.fit or kind.make or kind.wrap or not kind.is_offered
