"""The list of versions, a card of each kind, and versions that are made by saying how."""

import pytest

from reviews import making
from routing import policy, routers
from routing.models import Deployment, RouterVersion
from routing.routers import hybrid
from tests.reviews.challenged import challenger, version
from tests.routing import plugins

pytestmark = pytest.mark.django_db
MAKE = "/routers/make/"
CASCADE = {
    "project": "default", "kind": "cascade", "confidence": "yes", "samples": "2",
    "missing": "1", "unasked": "0.4", "gates": ["empty", "refusal"],
}  # fmt: skip
BAND = {**CASCADE, "kind": "hybrid", "low": "0.2", "high": "0.6"}


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_says_what_each_version_is(as_role, project):
    own, idle = version("own", project=project), version("idle", project=project, card={"n": 7})
    challenger(project, own)
    lines = {x.version.name: x for x in as_role("product").get("/routers/").context["lines"]}
    states = {name: line.states for name, line in lines.items()}
    assert states == {"test-1": ["live"], "own": ["challenger"], "idle": ["never used"]}
    assert (lines["idle"].n, lines["idle"].auroc) == (idle.card["n"], None)


def test_each_kind_has_a_card_and_who_only_looks_no_button(as_role, project):
    page = text(as_role("product").get("/routers/"))
    for kind in routers.kinds().values():
        assert (f'id="kind-{kind.name}"' in page) == kind.is_offered
    assert "no measured card" in page
    assert "Make a version" not in page
    page = text(as_role("lead").get("/routers/"))
    assert "/routers/make/?kind=cascade" in page
    assert "/routers/train/?kind=knn" in page


def test_a_plug_in_appears_by_itself(as_role, project, tmp_path, monkeypatch):
    plugins.install(tmp_path, "loud_page", 'LOUD = kind("loud", Base())', loud="LOUD")
    monkeypatch.syspath_prepend(tmp_path)
    assert 'id="kind-loud"' in text(as_role("lead").get("/routers/"))


def test_another_projects_versions_are_not_listed(as_role, project, demo):
    version("theirs", project=demo)
    assert "theirs" not in text(as_role("product").get("/routers/?project=default"))


def test_a_cascade_is_made_and_nothing_is_deployed(as_role, project):
    client, before = as_role("engineering"), Deployment.objects.count()
    answer = client.post(MAKE, {**CASCADE, "name": "careful"})
    made = RouterVersion.objects.get(name="careful")
    assert answer.url == f"/routers/{made.pk}/"
    assert (made.project, made.kind, made.embedder) == (project, "cascade", "")
    assert made.card["made"] == "configured by engineering"
    found = routers.load(made.kind, bytes(made.artifact), "").inner.options
    assert (found.samples, found.unasked, found.gates) == (2, 0.4, ("empty", "refusal"))
    assert Deployment.objects.count() == before
    page = text(client.get(answer.url))
    assert "decides nothing" in page
    assert "always expensive with this router" in page
    assert "empty, refusal" in page


def test_a_hybrid_stands_around_a_version_and_learnt_what_that_one_did(as_role, project, starter):
    page = text(as_role("lead").get(f"{MAKE}?kind=hybrid"))
    assert "test-1 (" in page
    client = as_role("admin")
    client.post(MAKE, {**BAND, "inner": starter.pk, "name": "both"})
    made = RouterVersion.objects.get(name="both")
    assert made.embedder == starter.embedder
    assert made.card["inner"] == "test-1"
    assert (made.is_starter, made.trained_until) == (True, starter.trained_until)
    inner = hybrid.inner_of(bytes(made.artifact))
    assert (inner.kind, inner.artifact) == (starter.kind, bytes(starter.artifact))
    found = routers.load(made.kind, bytes(made.artifact), made.embedder).inner
    assert (found.low, found.high) == (0.2, 0.6)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"samples": "two"}, "samples", "whole number"),
        ({"samples": "9"}, "samples", "1 to 3 answers"),
        ({"missing": "1.5"}, "missing", "from 0 to 1"),
        ({"unasked": "nan"}, "unasked", "must be a number"),
        ({"gates": ["luck"]}, "gates", "The gates are"),
        ({"low": "0.9"}, "low", "below its high end"),
        ({"inner": ""}, "inner", "asked first"),
        ({"name": "test-1"}, "name", "is taken"),
        ({"name": "no spaces"}, "name", "letters, digits"),
    ],
)
def test_what_cannot_be_is_said_by_its_field(as_role, project, starter, change, field, said):
    answer = as_role("lead").post(MAKE, {**BAND, "inner": starter.pk, **change})
    problems = answer.context["problems"]
    assert list(problems) == [field]
    assert said in problems[field]
    assert f'id="problem-{field}"' in text(answer) or field == "gates"
    assert RouterVersion.objects.count() == 1


def test_several_problems_are_told_at_once(as_role, project, starter):
    wrong = {**BAND, "inner": starter.pk, "samples": "9", "low": "2"}
    problems = as_role("lead").post(MAKE, wrong).context["problems"]
    assert set(problems) == {"low", "samples"}


def test_a_router_that_asks_cannot_be_asked_first(as_role, project):
    client = as_role("lead")
    client.post(MAKE, {**CASCADE, "name": "careful"})
    inner = RouterVersion.objects.get(name="careful")
    problems = client.post(MAKE, {**BAND, "inner": inner.pk}).context["problems"]
    assert "choose another" in problems["inner"]


@pytest.mark.parametrize("kind", ["constant", "random", "rules"])
def test_what_is_simplest_is_made_with_its_defaults(as_role, project, kind):
    client = as_role("lead")
    page = client.get(f"{MAKE}?kind={kind}")
    said = {f.name: f.value for f in page.context["fields"]}
    client.post(MAKE, {"project": "default", "kind": kind, **said, "name": "plain"})
    made = RouterVersion.objects.get(name="plain")
    assert routers.load(kind, bytes(made.artifact), "").score("a question") is not None
    assert policy.live(project).router.name == "test-1"


@pytest.mark.parametrize("kind", ["knn", "nothing", ""])
def test_what_is_trained_or_unknown_is_not_made(as_role, project, kind):
    client = as_role("lead")
    assert client.get(f"{MAKE}?kind={kind}").status_code == 404
    assert client.post(MAKE, {"project": "default", "kind": kind}).status_code == 404
    assert set(making.configured_kinds()) >= {"rules", "constant", "random", "cascade", "hybrid"}


def test_the_list_takes_as_many_queries_for_any_number(
    as_role, project, django_assert_max_num_queries
):
    client = as_role("lead")
    for n in range(20):
        version(f"own-{n}", project=project)
    client.get("/routers/")
    with django_assert_max_num_queries(35):
        client.get("/routers/")
