"""One slot, one rater; sides stay on the server; what was said stays said."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from reviews import blinding, estimation, progress, rating, sampling
from reviews.errors import Conflict
from reviews.models import Presentation, Rater, Rating, Reveal, Slot, Verdict
from routing import policy
from routing.types import Tier
from tests.reviews.rows import add_pair


def rater(name):
    return Rater.objects.create(kind=Rater.Kind.HUMAN, name=name)


@pytest.fixture
def study(project, starter):
    """Twelve pairs, all drawn, nothing handed out."""
    for n in range(12):
        add_pair(project, n / 12)
    return sampling.start(policy.live(project), name="s", seed="7", rate=1.0, check_every=0)


def say(shown, by, choice="equal", left=True, right=True):
    return rating.submit(shown.token, by, choice=choice, left_adequate=left, right_adequate=right)


@pytest.mark.django_db(transaction=True)
def test_twenty_raters_at_once_never_share_a_slot(study):
    raters = [rater(f"r{n}") for n in range(20)]
    together = Barrier(len(raters))

    def take(who):
        try:
            together.wait(30)
            return rating.hand_out(study, who)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(raters)) as pool:
        shown = [row for row in pool.map(take, raters) if row is not None]
    assert len(shown) == min(len(raters), study.slots.count())
    assert len({row.slot_id for row in shown}) == len(shown)
    leased = Slot.objects.filter(state=Slot.State.LEASED)
    assert {slot.pk: slot.rater_id for slot in leased} == {
        row.slot_id: row.rater_id for row in shown
    }


@pytest.mark.django_db
def test_who_comes_back_gets_the_same_showing_on_the_same_side(study):
    ann = rater("ann")
    shown = rating.hand_out(study, ann)
    again = rating.hand_out(study, ann)
    assert (again.pk, again.left) == (shown.pk, shown.left)
    assert Presentation.objects.get().left in set(Tier)


@pytest.mark.django_db
def test_the_side_is_drawn_and_the_texts_follow_it(study):
    ann = rater("ann")
    slot = Slot.objects.filter(study=study).first()
    drawn = [blinding.present(slot, ann) for _ in range(60)]
    assert {shown.left for shown in drawn} == set(Tier)
    by_side = {shown.left: blinding.blind(shown) for shown in drawn}
    cheap, expensive = by_side[Tier.CHEAP], by_side[Tier.EXPENSIVE]
    assert (cheap.left_html, cheap.right_html) == (expensive.right_html, expensive.left_html)
    assert cheap.left_html != cheap.right_html


CHEAP, EXPENSIVE = Tier.CHEAP, Tier.EXPENSIVE
TRUTH = [
    ("a_much", CHEAP, "cheap"),
    ("a_much", EXPENSIVE, "expensive"),
    ("a_slightly", CHEAP, "cheap"),
    ("a_slightly", EXPENSIVE, "expensive"),
    ("equal", CHEAP, "tie"),
    ("equal", EXPENSIVE, "tie"),
    ("b_slightly", CHEAP, "expensive"),
    ("b_slightly", EXPENSIVE, "cheap"),
    ("b_much", CHEAP, "expensive"),
    ("b_much", EXPENSIVE, "cheap"),
    ("both_bad", CHEAP, "both_bad"),
    ("both_bad", EXPENSIVE, "both_bad"),
]


@pytest.mark.django_db
def test_unblinding_follows_the_truth_table(study):
    ann = rater("ann")
    slot = Slot.objects.filter(study=study).first()
    assert {(choice, left) for choice, left, _ in TRUTH} == set(product(Rating.Choice, Tier))
    for choice, left, preference in TRUTH:
        shown = Presentation.objects.create(token=uuid4(), slot=slot, rater=ann, left=left)
        said = Rating.objects.create(
            presentation=shown, choice=choice, left_adequate=True, right_adequate=False, seconds=1
        )
        verdict = blinding.unblind(said, slot)
        assert (choice, left, verdict.preference) == (choice, left, preference)
        cheap_is_left = left is CHEAP
        assert (verdict.cheap_adequate, verdict.expensive_adequate) == (
            cheap_is_left,
            not cheap_is_left,
        )


@pytest.mark.django_db
def test_a_slot_whose_lease_ended_goes_to_the_next_and_the_late_rating_is_refused(study):
    ann, bob = rater("ann"), rater("bob")
    late = rating.hand_out(study, ann)
    Slot.objects.exclude(pk=late.slot_id).update(state=Slot.State.DONE)
    assert rating.hand_out(study, bob) is None
    Slot.objects.filter(pk=late.slot_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert rating.hand_out(study, bob).slot_id == late.slot_id
    with pytest.raises(Conflict):
        say(late, ann)
    assert not Rating.objects.exists()


@pytest.mark.django_db
def test_nobody_rates_another_persons_showing(study):
    shown = rating.hand_out(study, rater("ann"))
    with pytest.raises(Presentation.DoesNotExist):
        say(shown, rater("bob"))


@pytest.mark.django_db
def test_a_rater_never_gets_one_pair_twice(study):
    ann = rater("ann")
    pairs = []
    while shown := rating.hand_out(study, ann):
        pairs.append(shown.slot.pair_id)
        say(shown, ann)
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == set(study.slots.values_list("pair_id", flat=True))
    assert progress.of(study, ann).mine == len(pairs)


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Presentation, Rating, Verdict])
def test_what_was_said_cannot_be_changed(study, model):
    ann = rater("ann")
    say(rating.hand_out(study, ann), ann)
    with pytest.raises(TypeError):
        model.objects.get().save()
    with pytest.raises(ProgrammingError), transaction.atomic():
        model.objects.update(id=10**6)


@pytest.mark.django_db
def test_of_a_correction_the_newest_counts(study):
    ann = rater("ann")
    shown = rating.hand_out(study, ann)
    to_cheap, to_expensive = ("a_much", "b_much") if shown.left == CHEAP else ("b_much", "a_much")
    say(shown, ann, to_expensive)
    first = estimation.estimate(study)
    say(shown, ann, to_cheap)
    second = estimation.estimate(study)
    assert (Rating.objects.count(), Verdict.objects.count()) == (2, 2)
    assert (first.n_rated, second.n_rated) == (1, 1)
    assert (first.points[-1]["degradation"], second.points[-1]["degradation"]) == (1.0, 0.0)


@pytest.mark.django_db
def test_a_lapsed_lease_never_brings_the_other_slot_of_the_same_pair(study):
    ann = rater("ann")
    mine = rating.hand_out(study, ann).slot
    other = Slot.objects.create(
        sampled_pair=mine.sampled_pair, study=study, pair=mine.pair, ordinal=9, order=-1
    )
    Slot.objects.filter(pk=mine.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert rating.hand_out(study, ann).slot_id == mine.pk
    assert rating.hand_out(study, rater("bob")).slot_id == other.pk


@pytest.mark.django_db
def test_a_pair_seen_while_it_was_held_is_not_shown_again(study):
    ann = rater("ann")
    held = rating.hand_out(study, ann).slot.pair
    Reveal.objects.create(rater=ann, pair=held)
    assert rating.hand_out(study, ann).slot.pair != held
