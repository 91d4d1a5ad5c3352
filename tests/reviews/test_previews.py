"""Large running studies are shown as they were some moments ago; all others as they are now."""

import re
import time
from datetime import timedelta

import pytest
from django.core import signing
from django.utils import timezone

from reviews import closing, estimation, evidence, previews, rating
from reviews.models import Study
from reviews.previews import Asked
from reviews.views.threshold import SEEN
from tests.reviews.rated import form, rater
from tests.reviews.test_parts import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def study(project):
    yield make(project, [n / 20 for n in range(20)], second_share=1)
    previews._maker.submit(int).result()  # what is made behind a look ends before the tables go


@pytest.fixture
def large(study, settings):
    """A study that is large by a setting."""
    settings.SHADOWEVAL_PREVIEW_PAIRS = len(study.sample.all()) - 1
    return study


def say_more(study):
    """Let somebody else rate one pair more."""
    shown = rating.hand_out(study, bob := rater("bob"))
    rating.submit(shown.token, bob, **form(shown.left, "tie"))
    return estimation.Moment.now(study)


def later(study, seconds):
    """Return what is shown to somebody who looks so many seconds from now."""
    return previews.of(study, Asked(), timezone.now() + timedelta(seconds=seconds))


def moment(study):
    return previews.of(study, Asked()).estimate.moment


def newer(study, than):
    """Return the preview that is made behind the look, once it is there."""
    until = time.monotonic() + 30
    while (found := later(study, 6)).estimate.moment == than:
        assert time.monotonic() < until, "nobody made newer figures"
        time.sleep(0.05)
    return found


def test_a_small_study_is_shown_as_it_is(study):
    before = previews.of(study, Asked())
    now = say_more(study)
    found = previews.of(study, Asked())
    assert before.estimate.moment != found.estimate.moment == now
    assert (before.is_kept, found.is_kept) == (False, False)


def test_a_large_one_is_shown_as_it_was_and_made_anew_behind_the_look(large):
    first = moment(large)
    now = say_more(large)
    kept = previews.of(large, Asked())
    assert (kept.estimate.moment, kept.is_kept) == (first, True)
    assert newer(large, first).estimate.moment == now


def test_nobody_sees_what_is_older_than_five_minutes(large):
    moment(large)
    now = say_more(large)
    found = later(large, 301)
    assert (found.estimate.moment, found.is_kept) == (now, False)


def test_figures_of_one_preview_are_of_one_moment(large):
    moment(large)
    say_more(large)
    kept = previews.of(large, Asked())
    assert kept.shown.certificate.moment == str(kept.estimate.moment)


def test_another_plan_or_part_has_figures_of_its_own(large):
    first = moment(large)
    now = say_more(large)
    assert previews.of(large, Asked(kind="human")).estimate.moment == now
    Study.objects.filter(pk=large.pk).update(floor=0.1)
    large.refresh_from_db()
    found = previews.of(large, Asked())
    assert (found.estimate.moment, found.shown.certificate.floor) == (now, 0.1)
    assert first != now


def test_a_closed_study_is_exact_at_once(large):
    moment(large)
    now = say_more(large)
    closing.close(large, by=None, basis="by_hand", why="enough")
    found = previews.of(large, Asked())
    assert (found.estimate.moment, found.is_kept) == (now, False)
    assert found.shown.certificate.is_final


def test_the_page_says_from_when_it_is_and_signs_what_it_shows(large, as_role):
    client = as_role("lead", "product")
    first = client.get("/threshold/", {"study": large.pk})
    assert 'id="as-of"' not in first.content.decode()
    say_more(large)
    page = client.get("/threshold/", {"study": large.pk})
    said = " ".join(page.content.decode().split())
    assert re.search(r'id="as-of".*?As of .*?1 verdict came since', said)
    seen = signing.loads(page.context["seen"], salt=SEEN)
    assert seen["moment"] == str(page.context["estimate"].moment)
    at = estimation.Moment.parse(seen["moment"])
    frozen = evidence.freeze(large, 0.0, None, evidence.Seen("human", at, seen["sha256"]))
    assert frozen.content["certificate"]["moment"] == seen["moment"]
