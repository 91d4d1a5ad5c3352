"""What was said stays said: by SQL, row by row, nothing of it is changed or taken away."""

import pytest
from django.db import DatabaseError, connection, transaction

from reviews import blinding, guidance, projects, rating, revealing, sampling
from reviews.models import (
    Adjudication,
    Guideline,
    GuidelineRead,
    OriginGuess,
    Presentation,
    Rater,
    Rating,
    Reveal,
    SampledPair,
    Skip,
    Slot,
    Verdict,
)
from routing import policy
from tests.reviews.rated import rater, say
from tests.reviews.rows import add_pair

FIELDS = {
    Adjudication: "note = 'x'",
    Guideline: "body = 'x'",
    GuidelineRead: "created_at = now()",
    OriginGuess: "guess = 'right'",
    Presentation: "\"left\" = 'cheap'",
    Rating: "choice = 'equal'",
    Reveal: "created_at = now()",
    SampledPair: "u = 0",
    Skip: "reason = 'other'",
    Verdict: "preference = 'tie'",
}


@pytest.fixture
def study(project, transactional_db):
    """One row of everything."""
    for n in range(4):
        add_pair(project, n / 4)
    plan = {"check_every": 0, "origin_every": 1, "second_share": 0}
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, **plan)
    ann, bob = rater("ann"), rater("bob")
    guide = Guideline.objects.create(study=study, version=1, body="Be kind.")
    GuidelineRead.objects.create(guideline=guide, rater=ann)
    shown = rating.hand_out(study, ann)
    said = say(shown, ann)
    rating.guess_origin(shown.token, ann, "left")
    second = rating.hand_out(study, ann)
    rating.skip(second.token, ann, reason="broken")
    revealing.reveal(shown.slot.pair, bob)
    slot = Slot.objects.create(
        study=study, pair=shown.slot.pair, kind="adjudication", ordinal=1, order=0, rater=bob
    )
    settled = Rating.objects.create(
        presentation=blinding.present(slot, bob), choice="equal", left_adequate=True,
        right_adequate=True, seconds=1,
    )  # fmt: skip
    Adjudication.objects.create(
        study=study, pair=slot.pair, rater=bob, rating=settled, preference="tie",
        cheap_adequate=True, expensive_adequate=True, cause="taste",
    )  # fmt: skip
    assert guidance.current(study) == guide
    assert said.verdict
    return study


def sql(statement):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(("model", "change"), FIELDS.items())
def test_no_row_is_changed(study, model, change):
    assert model.objects.exists()
    with pytest.raises(DatabaseError, match="Cannot update rows"):
        sql(f"UPDATE {model._meta.db_table} SET {change}")


@pytest.mark.parametrize("model", [*FIELDS, Slot])
def test_no_row_is_taken_away_while_what_it_belongs_to_stays(study, model):
    n = model.objects.count()
    with pytest.raises(DatabaseError):
        sql(f"DELETE FROM {model._meta.db_table}")
    assert model.objects.count() == n


#: Rows that nothing refers to, so that no foreign key refuses for us.
ALONE = (Adjudication, GuidelineRead, OriginGuess, Reveal, Skip, Verdict)


@pytest.mark.parametrize("model", ALONE)
def test_the_reason_is_that_rows_stay(study, model):
    with pytest.raises(DatabaseError, match=f"Rows of {model._meta.db_table} stay"):
        sql(f"DELETE FROM {model._meta.db_table}")


def test_nor_by_the_orms_cascade(study):
    for rows in (Verdict, Rating, Presentation, Slot, SampledPair):
        with pytest.raises(DatabaseError, match="stay as long as"), transaction.atomic():
            rows.objects.all().delete()


def test_a_project_goes_with_everything(study):
    projects.delete(study.project)
    assert not any(model.objects.exists() for model in [*FIELDS, Slot])


def test_a_rater_goes_with_what_they_said(study):
    Rater.objects.filter(name="bob").delete()
    assert not Adjudication.objects.exists()
    assert Rating.objects.count() == 1
