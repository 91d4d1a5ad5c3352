"""The Challengers page: empty, with figures, and what its buttons do."""

import pytest
from django.utils import timezone

from reviews.models import Study
from routing import policy
from routing.models import Challenger
from tests.reviews.challenged import challenger, say, version
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db
HERE = "/routers/challengers/"


@pytest.fixture
def router(project):
    return version(project=project)


def test_an_empty_page_says_what_a_challenger_is(as_role, project):
    text = as_role("product").get(HERE).content.decode()
    assert "No challenger" in text
    assert "Let it score" not in text


def test_a_lead_starts_looks_at_and_stops_one(as_role, project, router):
    client = as_role("lead")
    form = {"project": project.slug, "router": router.pk}
    assert client.post(f"{HERE}start/", form).url.startswith(HERE)
    assert "It has scored nothing yet" in client.get(HERE).content.decode()
    pairs = [add_pair(project, own) for own in (0.2, 0.4)]
    say(router, pairs, lambda own: own / 2)
    text = client.get(HERE).content.decode()
    for said in ("Requests scored</dt><dd>2", "0.0 % of 2", "1.00", "0 pairs with a label"):
        assert said in text
    client.post(f"{HERE}{Challenger.objects.get().pk}/stop/")
    assert "Stopped" in client.get(HERE).content.decode()


def test_one_click_leads_to_the_filled_in_plan_of_its_study(as_role, project, router):
    client, row = as_role("lead"), challenger(project, router)
    say(router, [add_pair(project, 0.2)], lambda own: own)
    there = f"/studies/new/?challenger={row.pk}"
    assert there in client.get(HERE).content.decode()
    text = client.get(there).content.decode()
    assert "router-2, before it decides" in text
    assert "scores in the background" in text
    form = {"project": project.slug, "challenger": row.pk, "name": "Next", "rate": "1"}
    seen = client.post("/studies/new/", form | {"action": "preview"})
    assert seen.context["preview"].pairs == 1
    client.post("/studies/new/", form)
    study = Study.objects.get()
    assert (study.is_challenge, study.router, study.sample.count()) == (True, router, 1)
    text = client.get(f"/studies/{study.pk}/").content.decode()
    assert "router-2 is a challenger" in text
    assert client.get(f"/threshold/?study={study.pk}").status_code == 200
    assert client.get(f"/threshold/switches/?study={study.pk}&at=0.5").status_code == 200


def test_a_challenger_that_is_none_or_stopped_has_no_study(as_role, project, router):
    client, row = as_role("lead"), challenger(project, router)
    Challenger.objects.filter(pk=row.pk).update(stopped_at=timezone.now())
    for named in (row.pk, "999", "x"):
        assert client.get(f"/studies/new/?challenger={named}").status_code == 404


def test_a_study_says_up_to_when_its_router_learnt(as_role, project):
    router = version(project=project, trained_until=timezone.now())
    row = challenger(project, router)
    client = as_role("lead")
    client.post("/studies/new/", {"project": project.slug, "challenger": row.pk, "name": "Next"})
    text = client.get(f"/studies/{Study.objects.get().pk}/").content.decode()
    assert "router-2 learnt from what came" in text


def test_a_router_decides_at_threshold_0_once_that_is_confirmed(as_role, project, router):
    client = as_role("engineering")
    form = {"project": project.slug, "router": router.pk, "reason": "It needs evidence."}
    client.post("/routers/decide/", form)
    assert policy.live(project).router != router
    client.post("/routers/decide/", form | {"confirm": "yes"})
    live = policy.live(project)
    assert (live.router, live.is_always_expensive) == (router, True)
