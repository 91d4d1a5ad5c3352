"""RouteLLM's routers, by a stand-in of its interface: a package on the path with ROUTER_CLS."""

import textwrap

import pytest

from routing import routers
from routing.routers import routellm
from routing.types import Score

STAND_IN = """
    import abc

    class Router(abc.ABC):
        NO_PARALLEL = False

        @abc.abstractmethod
        def calculate_strong_win_rate(self, prompt): ...

        def route(self, prompt, threshold, routed_pair):
            better = self.calculate_strong_win_rate(prompt) >= threshold
            return routed_pair.strong if better else routed_pair.weak

    class MatrixFactorizationRouter(Router):
        NO_PARALLEL = True

        def __init__(self, checkpoint_path, strong_model="gpt-4-1106-preview", hidden_size=128):
            self.told = (checkpoint_path, strong_model, hidden_size)

        def calculate_strong_win_rate(self, prompt):
            return len(prompt) / 100

    ROUTER_CLS = {"mf": MatrixFactorizationRouter}
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """RouteLLM's package, as far as it is used; gone again after the test."""
    package = tmp_path / "routellm" / "routers"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "routers.py").write_text(textwrap.dedent(STAND_IN))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "routellm"]:
        del sys.modules[name]


def artifact(**options):
    return routers.kinds()["routellm"].make(options)


def test_its_win_rate_is_the_score_and_its_settings_reach_it(stand_in):
    made = artifact(checkpoint="some/place", config={"hidden_size": 64})
    router = routers.load("routellm", made, "")
    assert router.inner.foreign.told == ("some/place", "gpt-4-1106-preview", 64)
    assert router.score("x" * 30) == Score(0.3)
    assert router.score("hello") == Score(0.05)  # no rules of ours before it
    assert not router.is_instant
    assert router.recall("hello") is None


def test_one_that_can_do_only_one_at_a_time_does_so(stand_in):
    router = routers.load("routellm", artifact(), "").inner
    with router.turn:
        assert router.turn.locked()


def test_without_the_package_the_error_says_what_to_install():
    with pytest.raises(ValueError, match=r"needs RouteLLM.*pip install 'shadoweval\[routellm\]'"):
        routers.load("routellm", artifact(), "")


def test_a_router_that_the_installed_one_has_not_is_named(stand_in):
    with pytest.raises(ValueError, match="has no router 'bert'"):
        routers.load("routellm", artifact(router="bert"), "")


@pytest.mark.parametrize(
    "options",
    [
        {"router": "oracle"},
        {"config": []},
        {"config": {"a": object()}},
        {"checkpoint": None},
        {"model": "x"},
    ],
)
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError):
        routellm.make(options)
