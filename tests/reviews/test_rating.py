"""One slot, one rater; sides stay on the server; what was said stays said."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product
from threading import Barrier
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from reviews import (
    blinding,
    estimation,
    hopeless,
    permissions,
    progress,
    rating,
    revealing,
    sampling,
)
from reviews.errors import Conflict
from reviews.models import Presentation, Rater, Rating, Reveal, Slot, Verdict
from routing import policy
from routing.types import Tier
from tests.reviews.rows import add_pair, add_pairs


def rater(name):
    return Rater.objects.create(kind=Rater.Kind.HUMAN, name=name)


@pytest.fixture
def study(project, starter):
    """Twelve pairs, all drawn, nothing handed out."""
    add_pairs(project, [n / 12 for n in range(12)])
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
        verdict = blinding.unblind(said)
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


def skip(shown, by):
    rating.skip(shown.token, by, reason="cannot_judge")


def person(name):
    """A rater who can log in, so that they count among those who could still be asked."""
    permissions.ensure_roles()
    user = User.objects.create_user(name, password="pw-for-tests")
    permissions.give(user, "rater")
    return rating.rater_of(user)


def verdicts_of(shown):
    return list(Verdict.objects.filter(pair=shown.slot.pair).values_list("preference", flat=True))


@pytest.mark.django_db
def test_a_skipped_pair_goes_to_others_and_is_given_up_after_two(study):
    ann, bob, cem = person("ann"), person("bob"), person("cem")
    shown = rating.hand_out(study, ann)
    skip(shown, ann)
    assert rating.hand_out(study, ann).slot.pair_id != shown.slot.pair_id
    again = rating.hand_out(study, bob)
    assert (again.slot_id, verdicts_of(shown)) == (shown.slot_id, [])
    skip(again, bob)
    assert verdicts_of(shown) == ["cannot"]
    states = study.slots.filter(pair=shown.slot.pair).values_list("state", flat=True)
    assert set(states) == {"given_up"}
    assert rating.hand_out(study, cem).slot.pair_id != shown.slot.pair_id
    result = estimation.estimate(study)
    assert (result.n_rated, result.points[-1]["degradation"]) == (1, 1.0)


@pytest.mark.django_db
def test_the_only_rater_left_gives_up_a_pair_by_skipping_it(study):
    ann, bob = person("ann"), person("bob")
    Rater.objects.filter(pk=bob.pk).update(paused_at=timezone.now())
    shown = rating.hand_out(study, ann)
    skip(shown, ann)
    assert verdicts_of(shown) == ["cannot"]


@pytest.mark.django_db
def test_a_skipped_pair_is_looked_at_again_when_people_leave(study):
    ann, bob = person("ann"), person("bob")
    shown = rating.hand_out(study, ann)
    skip(shown, ann)
    hopeless.sweep(study)
    assert verdicts_of(shown) == []
    bob.user.groups.clear()
    hopeless.sweep(study)
    assert verdicts_of(shown) == ["cannot"]


@pytest.mark.django_db
def test_who_skipped_cannot_be_counted_on_when_somebody_wants_to_see_a_pair(study):
    ann, bob = person("ann"), person("bob")
    shown = rating.hand_out(study, ann)
    skip(shown, ann)
    with pytest.raises(Conflict, match="Nobody else"):
        revealing.reveal(shown.slot.pair, bob)


@pytest.mark.django_db
def test_a_skip_is_undone_while_nobody_has_the_pair(study):
    ann, bob = person("ann"), person("bob")
    person("cem")
    shown = rating.hand_out(study, ann)
    skip(shown, ann)
    rating.take_back(shown.token, ann)
    say(shown, ann)
    assert verdicts_of(shown) == ["tie"]
    other = rating.hand_out(study, ann)
    skip(other, ann)
    assert rating.hand_out(study, bob).slot_id == other.slot_id
    with pytest.raises(Conflict, match="Too late"):
        rating.take_back(other.token, ann)


@pytest.mark.django_db(transaction=True)
def test_two_who_skip_the_slots_of_one_pair_at_once_give_it_up(project):
    for _ in range(3):
        pair = add_pair(project, 0.5)
    live = policy.live(project)
    study = sampling.start(live, name="s", seed="7", rate=1.0, second_share=1.0, check_every=0)
    pairs = study.slots.filter(pair=pair)
    study.slots.exclude(pk__in=pairs).update(state="done")
    people = [person("ann"), person("bob")]
    shown = [rating.hand_out(study, who) for who in people]
    together = Barrier(2)

    def leave(which):
        together.wait(30)
        try:
            skip(shown[which], people[which])
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(leave, range(2)))
    assert set(pairs.values_list("state", flat=True)) == {"given_up"}
    assert verdicts_of(shown[0]) == ["cannot"]


@pytest.mark.django_db
def test_a_paused_rater_finishes_the_pair_in_hand_and_changes_nothing_said(study):
    ann = person("ann")
    first = rating.hand_out(study, ann)
    say(first, ann)
    held = rating.hand_out(study, ann)
    Rater.objects.filter(pk=ann.pk).update(paused_at=timezone.now())
    assert rating.hand_out(study, ann).pk == held.pk
    say(held, ann)
    assert rating.hand_out(study, ann) is None
    with pytest.raises(Conflict, match="paused"):
        say(first, ann, "a_much")


@pytest.mark.django_db
def test_a_closed_study_takes_no_rating(study):
    ann = person("ann")
    shown = rating.hand_out(study, ann)
    type(study).objects.update(state="closed", closed_at=timezone.now())
    with pytest.raises(Conflict, match="closed"):
        say(shown, ann)


@pytest.mark.django_db
def test_a_lease_is_kept_while_it_is_looked_at_and_taken_again_while_free(study):
    ann, bob = person("ann"), person("bob")
    shown = rating.hand_out(study, ann)
    Slot.objects.filter(pk=shown.slot_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert rating.renew(shown.token, ann) > timezone.now()
    Slot.objects.filter(pk=shown.slot_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert rating.hand_out(study, bob).slot_id == shown.slot_id
    with pytest.raises(Conflict):
        rating.renew(shown.token, ann)


@pytest.mark.django_db
def test_whose_answer_it_was_is_asked_after_the_rating_and_once(project):
    add_pair(project, 0.5)
    live = policy.live(project)
    study = sampling.start(live, name="s", seed="7", rate=1.0, origin_every=1, check_every=0)
    ann = rater("ann")
    shown = rating.hand_out(study, ann)
    with pytest.raises(Presentation.DoesNotExist):
        rating.guess_origin(shown.token, ann, "left")
    say(shown, ann)
    rating.guess_origin(shown.token, ann, "left")
    rating.guess_origin(shown.token, ann, "right")
    assert shown.origin_guess.guess == "left"
