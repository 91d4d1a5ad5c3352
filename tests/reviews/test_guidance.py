"""Guidelines have versions, each is read once, and answered questions stay."""

import pytest
from django.contrib.auth.models import User
from django.db import ProgrammingError, transaction

from reviews import guidance, rating, sampling
from reviews.errors import BadInput, Conflict
from reviews.models import Guideline, Study
from routing import policy
from tests.reviews.rated import rater, say
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    add_pair(project, 0.5)
    return sampling.start(policy.live(project), name="s", seed="7", rate=1.0, check_every=0)


@pytest.fixture
def lead(db):
    return User.objects.create_user("lena")


def test_a_rater_reads_each_version_once_and_sees_what_changed(study, lead):
    ann = rater("ann")
    first = guidance.briefing(study, ann)
    assert (first.guideline.version, first.changes_html) == (1, "")
    guidance.mark_read(study, ann, 1)
    guidance.mark_read(study, ann, 1)
    assert guidance.briefing(study, ann) is None
    guidance.publish(study, first.guideline.body + "\nDates <b> must be right.\n", lead)
    second = guidance.briefing(study, ann)
    assert second.guideline.version == 2
    assert "<ins>" in second.changes_html
    assert "<b>" not in second.changes_html
    assert guidance.briefing(study, rater("bob")).changes_html == ""


@pytest.mark.parametrize("body", ["", "  \n", "x" * 20_001, guidance.DEFAULT])
def test_what_is_no_new_version_is_refused(study, lead, body):
    guidance.current(study)
    with pytest.raises(BadInput):
        guidance.publish(study, body, lead)
    assert Guideline.objects.count() == 1


def test_the_version_that_was_shown_is_kept_with_the_showing(study, lead):
    ann = rater("ann")
    shown = rating.hand_out(study, ann)
    guidance.publish(study, "Other words.", lead)
    assert rating.hand_out(study, ann).guideline.version == shown.guideline.version == 1


def test_questions_change_until_somebody_answered_them(study):
    ask = {"preference": "Which is kinder?", "adequacy": "Is it kind?"}
    guidance.ask(study, **ask, reasons=["kind", " kind ", "", "short"])
    study.refresh_from_db()
    assert (study.preference_question, study.reasons) == ("Which is kinder?", ["kind", "short"])
    ann = rater("ann")
    said = say(rating.hand_out(study, ann), ann, reasons=["short", "made up"])
    assert said.reasons == ["short"]
    with pytest.raises(Conflict):
        guidance.ask(study, **ask, reasons=[])
    for change in ({"preference_question": "x"}, {"adequacy_question": "x"}, {"reasons": ["x"]}):
        with pytest.raises(ProgrammingError, match="never change"), transaction.atomic():
            Study.objects.update(**change)
    Study.objects.update(name="The rest may change")


def test_guidelines_outlive_the_account_that_wrote_them(study, lead):
    guidance.publish(study, "Other words.", lead)
    lead.delete()
    assert guidance.current(study).created_by is None
    with pytest.raises(ProgrammingError), transaction.atomic():
        Guideline.objects.update(body="Changed.")


@pytest.mark.parametrize("word", ["tier", "Cheap", "EXPENSIVE", "small-1", "Small 1", "vast"])
def test_guidelines_name_no_tier_and_no_model(study, lead, word):
    ids = {"cheap": "vendor/small-1", "expensive": "vast"}
    for tier, model in ids.items():
        setattr(study.policy, tier, {**getattr(study.policy, tier), "model": model})
    with pytest.raises(BadInput, match=f"“{word}” could tell"):
        guidance.publish(study, f"Rate ({word}) fairly.", lead)
    guidance.publish(study, "Cheaper flights, a frontier, tiers; a vastness, small 12.", lead)
    assert guidance.current(study).version == 2
