"""Practice comes first, hidden checks look like any pair, and none of them is evidence."""

import pytest

from reviews import blinding, checks, practice, progress, rating, sampling
from reviews.models import Gold, Rating, SampledPair, Slot, Verdict
from routing import policy
from routing.types import Tier
from tests.reviews.rated import rater, say
from tests.reviews.rows import add_pairs

pytestmark = pytest.mark.django_db
ALWAYS = {"second_share": 0, "origin_every": 0, "check_every": 1}


@pytest.fixture
def pairs(project):
    return add_pairs(project, [n / 40 for n in range(40)])


def start(project, rate=0.5, **plan):
    return sampling.start(policy.live(project), name="s", seed="7", rate=rate, **{**ALWAYS, **plan})


def rate_all(study, who, most=100):
    """Rate up to some showings as a careful rater; return them in order."""
    shown = []
    for _ in range(most):
        one = rating.hand_out(study, who)
        if one is None:
            break
        shown.append(one)
        say(one, who)
    return shown


def gold(study, pair, use="practice", preference="tie", **more):
    return Gold.objects.create(study=study, pair=pair, use=use, preference=preference, **more)


def spare(study, pairs):
    """Return the pairs that were not drawn: gold that no rating of the sample waits for."""
    drawn = set(study.sample.filter(selected=True).values_list("pair_id", flat=True))
    return [pair for pair in pairs if pair.pk not in drawn]


def kinds(shown):
    return [one.slot.kind for one in shown]


def test_five_practice_pairs_come_before_the_first_real_one(project, pairs):
    study = start(project, check_every=0)
    for pair in spare(study, pairs)[:7]:
        gold(study, pair)
    shown = rate_all(study, rater("ann"))
    assert kinds(shown)[:6] == ["practice"] * 5 + ["sample"]
    assert "practice" not in kinds(shown)[5:]


def test_practice_and_checks_are_never_evidence(project, pairs):
    study = start(project)
    practised, hidden, *_ = spare(study, pairs)
    gold(study, practised)
    gold(study, hidden, use="hidden")
    shown = rate_all(study, rater("ann"))
    assert {"practice", "repeat", "identical"} <= set(kinds(shown))
    n_sample = kinds(shown).count("sample")
    assert Verdict.objects.count() == n_sample < Rating.objects.count() == len(shown)


def test_a_repeat_has_the_sides_swapped_and_comes_after_others(project, pairs):
    study = start(project)
    shown = rate_all(study, rater("ann"))
    for at, again in enumerate(shown):
        if again.slot.kind != Slot.Kind.REPEAT:
            continue
        first = next(one for one in shown if one.slot.pair_id == again.slot.pair_id)
        assert first.left != again.left
        assert kinds(shown[shown.index(first) + 1 : at]).count("sample") >= 5
    pairs_again = [one.slot.pair_id for one in shown if one.slot.kind == Slot.Kind.REPEAT]
    assert len(pairs_again) == len(set(pairs_again)) > 0


def test_identical_answers_stand_on_both_sides_of_a_pair_that_was_not_drawn(project, pairs):
    study = start(project)
    shown = [o for o in rate_all(study, rater("ann")) if o.slot.kind == Slot.Kind.IDENTICAL]
    assert shown
    for one in shown:
        blind = blinding.blind(one)
        assert blind.left_html == blind.right_html
        assert not SampledPair.objects.get(study=study, pair=one.slot.pair_id).selected


def test_no_pair_is_seen_twice_but_as_a_repeat(project, pairs):
    study = start(project)
    for pair in pairs[:10]:
        gold(study, pair, use="hidden")
    seen = [o.slot.pair_id for o in rate_all(study, rater("ann")) if o.slot.kind != "repeat"]
    assert len(seen) == len(set(seen))


def test_hidden_gold_never_takes_a_pair_that_still_waits_for_its_rating(project, pairs):
    study = start(project, rate=1.0)
    for pair in pairs:
        gold(study, pair, use="hidden")
    shown = rate_all(study, rater("ann"))
    assert "gold" not in kinds(shown)
    assert kinds(shown).count("sample") == len(pairs)


def test_nobody_elses_check_is_handed_out(project, pairs):
    study = start(project)
    ann, bob = rater("ann"), rater("bob")
    gold(study, spare(study, pairs)[0])
    mine = rating.hand_out(study, ann)
    theirs = rating.hand_out(study, bob)
    assert (mine.slot.kind, theirs.slot.kind) == ("practice", "practice")
    assert mine.slot_id != theirs.slot_id
    assert rating.hand_out(study, ann).pk == mine.pk


def test_the_figures_do_not_tell_a_check_from_a_pair(project, pairs):
    study = start(project)
    ann = rater("ann")
    before = progress.of(study, ann)
    for _ in range(12):
        shown = rating.hand_out(study, ann)
        during = progress.of(study, ann)
        say(shown, ann)
        after = progress.of(study, ann)
        assert (before.total, before.mine, before.team) == (
            during.total, during.mine, during.team,
        )  # fmt: skip
        assert (after.mine, after.team) == (before.mine + 1, before.team + 1)
        before = after


@pytest.mark.parametrize("left", list(Tier))
@pytest.mark.parametrize(("preference", "is_right"), [("cheap", True), ("tie", False)])
def test_feedback_speaks_of_a_and_b(project, pairs, left, preference, is_right):
    study = start(project)
    gold(
        study,
        spare(study, pairs)[0],
        preference=preference,
        cheap_adequate=True,
        explanation="**Because**",
    )
    ann = rater("ann")
    slot = checks.due(study, ann)
    shown = blinding.present(slot, ann, left=left)
    say(shown, ann, "a_much" if left is Tier.CHEAP else "b_slightly")
    told = practice.feedback(shown)
    better = "A is better" if left is Tier.CHEAP else "B is better"
    assert told.agreed == (better if preference == "cheap" else "about equal")
    assert told.is_right is is_right
    assert told.said_fits == {"A": True, "B": True}
    assert told.adequate == dict(
        zip("AB" if left is Tier.CHEAP else "BA", [True, None], strict=True)
    )
    assert "<strong>Because</strong>" in told.why_html


def test_a_right_preference_with_a_wrong_adequacy_is_not_right(project, pairs):
    study = start(project)
    row = gold(study, spare(study, pairs)[0], cheap_adequate=False, expensive_adequate=True)
    ann = rater("ann")
    said = say(blinding.present(checks.due(study, ann), ann), ann)
    assert checks.outcome(row, said) == checks.Outcome(preference=True, adequacy=False)
