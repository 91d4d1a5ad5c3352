"""One label for each pair: who is believed, what is overruled, and which pairs never train."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reviews import blinding, labels, rating, sampling, sources
from reviews.models import (
    Adjudication,
    Rater,
    SampledPair,
    Slot,
    TrainingExample,
    TrainingRun,
    Verdict,
)
from routing import policy
from routing.models import Feedback, Request
from tests.reviews import training_draws
from tests.reviews.challenged import version
from tests.reviews.rated import form, lead, rate_all, rater
from tests.reviews.rows import add_pair, add_pairs, add_request
from tests.reviews.training_draws import judge, person, spoken

pytestmark = pytest.mark.django_db
REFUSAL = "I'm sorry, but I can't help with that."


@pytest.fixture
def pair(project):
    return add_pair(project, 0.5)


@pytest.fixture
def study(project, pair):
    return training_draws.start(project)


def one(project, **asked):
    (label,) = labels.collect(project, **asked)
    return label


def fits(label):
    return label.cheap_ok, label.expensive_ok


def test_nobody_spoke_and_there_is_no_label(project, pair):
    assert labels.collect(project) == []
    counted = labels.counts(project)
    assert (counted.total, counted.newest) == (0, None)
    assert counted.by_source == {"human": 0, "judge": 0, "proxy": 0}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("expensive", True, True), (1.0, 1.0)),
        (("tie", False, True), (0.0, 1.0)),
        (("cheap", None, None), (1.0, 0.0)),
        (("tie", None, None), (1.0, 1.0)),
        (("expensive", None, None), (0.0, 1.0)),
        (("both_bad", None, None), (0.0, 0.0)),
        (("", False, None), (0.0, 0.5)),
        (("", True, False), (1.0, 0.0)),
    ],
)
def test_good_enough_comes_before_what_is_preferred(project, study, pair, said, expected):
    spoken(study, pair, person(), *said)
    label = one(project)
    assert (label.source, fits(label)) == ("human", expected)
    assert label.provenance["how"] == "one person"


def test_who_cannot_judge_labels_nothing(project, study, pair):
    spoken(study, pair, person(), "cannot")
    spoken(study, pair, person("bob"), "", None, True)
    assert labels.collect(project) == []


def test_of_a_person_the_newest_counts_and_of_several_the_mean(project, study, pair):
    ann, bob = person(), person("bob")
    spoken(study, pair, ann, "tie", True, True)
    spoken(study, pair, ann, "expensive", False, True)
    last = spoken(study, pair, bob, "tie", True, True)
    label = one(project)
    assert fits(label) == (0.5, 1.0)
    assert label.provenance == {
        "source": "human", "how": "2 people", "by": [ann.pk, bob.pk],
        "at": last.created_at.isoformat(), "overruled": [],
    }  # fmt: skip


def test_what_a_lead_settled_comes_before_what_people_say(project, pair):
    study = training_draws.start(project, ratings_per_pair=2)
    for name, preference in (("ann", "cheap"), ("bob", "expensive")):
        rate_all(study, rater(name), lambda _, said=preference: ((said,), {}))
    assert one(project).provenance["how"] == "2 people"
    settled = settle(study, pair)
    label = one(project)
    assert fits(label) == (0.0, 1.0)
    assert label.provenance["how"] == "settled by a lead: somebody slipped"
    assert label.provenance["by"] == [settled.rater_id]


def settle(study, pair):
    given = Verdict.objects.filter(study=study, pair=pair).first().rating
    return Adjudication.objects.create(
        study=study, pair=pair, rater=lead("lea"), rating=given, cause="slip",
        preference="expensive", cheap_adequate=False, expensive_adequate=True,
    )  # fmt: skip


def test_checks_and_practice_are_no_labels(project, study, pair):
    ann = rater("ann")
    rate_all(study, ann, lambda _: (("tie",), {}))
    before = one(project)
    repeat = Slot.objects.create(
        study=study, pair=pair, rater=ann, kind=Slot.Kind.REPEAT, ordinal=0, order=1
    )
    shown = blinding.present(repeat, ann)
    rating.submit(shown.token, ann, **form(shown.left, "expensive", cheap=False))
    assert one(project) == before


def test_people_beat_a_judge_and_a_judge_beats_heuristics(project):
    pair = add_pair(project, 0.5, cheap=REFUSAL)
    study = training_draws.start(project)
    assert (one(project).source, fits(one(project))) == ("proxy", (0.0, 1.0))
    model = judge(study)
    spoken(study, pair, model, "tie", True, True)
    label = one(project)
    assert (label.source, label.provenance["how"]) == ("judge", model.name)
    assert label.provenance["overruled"] == [
        {"source": "proxy", "how": "refusal", "cheap_ok": 0.0, "expensive_ok": 1.0}
    ]
    spoken(study, pair, person(), "expensive", False, True)
    label = one(project)
    assert label.source == "human"
    assert [row["source"] for row in label.provenance["overruled"]] == ["judge"]


def test_only_the_sources_that_are_asked_speak(project):
    pair = add_pair(project, 0.5, cheap=REFUSAL)
    study = training_draws.start(project)
    spoken(study, pair, person(), "tie", True, True)
    assert one(project, sources=("proxy",)).source == "proxy"
    assert one(project, sources=("human",)).provenance["overruled"] == []
    assert labels.collect(project, sources=("judge",)) == []


def test_of_many_labels_the_strongest_are_taken_before_the_newest(project):
    """Heuristics speak of so many pairs that the newest labels would be theirs alone."""
    pairs = [add_pair(project, 0.5, cheap=REFUSAL if n else "") for n in range(5)]
    spoken(training_draws.start(project), pairs[1], person(), "tie", True, True)
    found = labels.collect(project, most=2)
    assert [(label.pair_id, label.source) for label in found] == [
        (pairs[1].pk, "human"), (pairs[4].pk, "proxy"),
    ]  # fmt: skip
    assert labels.collect(project, most=0) == []


def test_of_a_task_type_as_many_as_asked_for_are_found_behind_newer_ones(project):
    tasks = ("law", "law", "math", "math", "math")
    pairs = [add_pair(project, 0.5, cheap=REFUSAL, task=task) for task in tasks]
    found = labels.collect(project, tasks=["law"], most=3)
    assert [label.pair_id for label in found] == [pairs[0].pk, pairs[1].pk]


def test_of_two_answer_keys_the_newest_speaks(project, study, pair):
    kind = Rater.Kind.ANSWER_KEY
    first, second = [Rater.objects.create(kind=kind, name=name) for name in ("a", "b")]
    spoken(study, pair, second, "", False, True)
    spoken(study, pair, first, "", True, False)
    assert fits(one(project, sources=("proxy",))) == (1.0, 0.0)


def test_the_newest_judge_speaks_and_only_where_its_orders_agree(project, study, pair):
    old, new = judge(study), judge(study, prompt="Another prompt")
    spoken(study, pair, new, "expensive", False, True)
    spoken(study, pair, old, "tie", True, True)
    assert one(project).provenance["how"] == new.name
    spoken(study, pair, new, "split", True, True)
    assert labels.collect(project) == []
    spoken(study, pair, new, "tie", None, True)
    assert labels.collect(project) == []


def test_an_imported_judge_is_asked_for_no_adequacy(project, study, pair):
    imported = Rater.objects.create(kind=Rater.Kind.LLM_JUDGE, name="GPT-4", project=project)
    spoken(study, pair, imported, "expensive")
    assert (one(project).source, fits(one(project))) == ("judge", (0.0, 1.0))


def test_an_answer_key_is_never_passed_off_as_people(project, study, pair):
    key = Rater.objects.create(kind=Rater.Kind.ANSWER_KEY, name="key")
    spoken(study, pair, key, "both_bad")
    label = one(project)
    assert (label.source, label.provenance["how"], fits(label)) == (
        "proxy", "answer_key", (0.0, 0.0),
    )  # fmt: skip


def test_feedback_labels_what_the_cheap_model_served(project, study, pair):
    said = {"thumb": "down", "digest": "d"}
    Feedback.objects.create(request_id=pair.request_id, **said)
    Feedback.objects.create(request_id=add_request(project, 0.1, "cheap", threshold=0.5), **said)
    assert labels.collect(project) == []  # expensive served the first, the second has no pair
    type(pair.cheap).objects.filter(pk=pair.cheap_id).update(is_shadow=False)
    assert (one(project).provenance["how"], fits(one(project))) == ("feedback", (0.0, 0.5))
    Feedback.objects.create(request_id=pair.request_id, thumb="up", digest="e")
    assert fits(one(project)) == (1.0, 1.0)


def test_pairs_that_calibrate_somewhere_are_left_out_and_counted(project, study, pair):
    spoken(study, pair, person(), "tie", True, True)
    assert len(labels.collect(project)) == 1
    sampling.start(policy.live(project), name="c", seed="1", rate=1.0)
    assert labels.collect(project) == []
    assert labels.counts(project).left_out == 1


def test_another_projects_pairs_are_not_ours(project, demo, study, pair):
    spoken(study, pair, person(), "tie", True, True)
    add_pair(demo, 0.5, cheap=REFUSAL)
    assert [label.pair_id for label in labels.collect(project)] == [pair.pk]
    assert [label.source for label in labels.collect(demo)] == ["proxy"]


def test_labels_come_in_request_order_and_may_be_the_newest_only(project):
    pairs = [add_pair(project, 0.5, cheap=REFUSAL) for _ in range(3)]
    begun = timezone.now() - timedelta(hours=3)
    for place, pair in enumerate(reversed(pairs)):
        at = begun + timedelta(hours=place)
        Request.objects.filter(pk=pair.request_id).update(received_at=at)
    oldest_first = [pair.pk for pair in reversed(pairs)]
    asked = {"all": {}, "newest": {"most": 2}, "none": {"most": 0}, "since": {}, "until": {}}
    asked["since"]["since"] = asked["until"]["until"] = begun + timedelta(minutes=30)
    got = {k: [one.pair_id for one in labels.collect(project, **v)] for k, v in asked.items()}
    assert got == {
        "all": oldest_first, "newest": oldest_first[1:], "none": [],
        "since": oldest_first[1:], "until": oldest_first[:1],
    }  # fmt: skip


def test_weights_stand_for_what_was_not_drawn(project):
    pairs = add_pairs(project, [0.5] * 40, shadow_rate=0.5)
    study = training_draws.start(project, rate=0.1, train_rate=0.4)
    drawn = study.sample.filter(selected=True, purpose="train").values_list("pair_id", flat=True)
    model = judge(study)
    for pair in pairs:
        if pair.pk in drawn:
            spoken(study, pair, person(), "tie", True, True)
        if pair is pairs[0] or pair.pk == drawn[0]:
            spoken(study, pair, model, "tie", True, True)
    by_pair = {label.pair_id: label for label in labels.collect(project)}
    alone = [by_pair[pk].weight for pk in drawn if pk not in (drawn[0], pairs[0].pk)]
    assert alone == [pytest.approx(1 / (0.5 * 0.4))] * len(alone)
    assert by_pair[drawn[0]].weight == pytest.approx(2)  # the judge would have brought it in


def test_conflicts_show_every_side_the_newest_first(project):
    pairs = [add_pair(project, 0.5, cheap=REFUSAL) for _ in range(3)]
    study = training_draws.start(project)
    for pair in pairs[:2]:
        spoken(study, pair, person(), "tie", True, True)
    spoken(study, pairs[2], person(), "expensive", False, True)
    found = labels.conflicts(project)
    assert [one.pair_id for one in found] == [pairs[1].pk, pairs[0].pk]
    assert [said.source for said in found[0].said] == ["human", "proxy"]
    assert [one.pair_id for one in labels.conflicts(project, first=1, most=1)] == [pairs[0].pk]
    assert labels.counts(project).conflicts == 2


def test_people_who_differ_are_in_conflict_with_nobody(project):
    pair = add_pair(project, 0.5, cheap=REFUSAL)
    study = training_draws.start(project)
    spoken(study, pair, person(), "tie", True, True)
    spoken(study, pair, person("bob"), "expensive", False, True)
    assert labels.conflicts(project) == []


def test_agreement_counts_where_both_sources_are_sure(project):
    pairs = [add_pair(project, 0.5) for _ in range(6)]
    study = training_draws.start(project)
    model = judge(study)
    for place, pair in enumerate(pairs):
        spoken(study, pair, person(), "tie", place > 2, True)
        spoken(study, pair, model, "tie", place > 1, True)
    spoken(study, pairs[5], person("bob"), "tie", False, True)  # people differ: not sure
    (line,) = labels.agreement(project)
    assert (line.one, line.other, line.n, line.share) == ("human", "judge", 5, 0.8)
    assert line.low < 0.8 < line.high
    assert line.kappa == pytest.approx(0.6154, abs=1e-4)


def test_however_many_pairs_the_queries_are_as_many(project):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as seen:
            labels.collect(project)
        return len(seen)

    study = training_draws.start(project)
    for _ in range(2):
        add_pair(project, 0.5, cheap=REFUSAL)
    few = queries()
    for _ in range(8):
        spoken(study, add_pair(project, 0.5), person(), "tie", True, True)
    assert queries() == few


def example(project, pair, router=None):
    run = TrainingRun.objects.create(
        project=project, name="r", kind="embedding", state="done", router=router
    )
    return TrainingExample.objects.create(
        run=run, pair=pair, source="human", cheap_ok=1, expensive_ok=1, provenance={}, score=0.5
    )


def test_postgres_refuses_to_train_on_a_pair_that_calibrates(project, study, pair):
    example(project, pair)
    calibrating = add_pair(project, 0.5)
    sampling.start(policy.live(project), name="c", seed="1", rate=1.0)
    with pytest.raises(DatabaseError, match="drawn to calibrate"), transaction.atomic():
        example(project, calibrating)


def test_postgres_refuses_to_calibrate_a_router_on_a_pair_it_was_trained_on(project, pair, starter):
    example(project, pair, router=starter)
    study = sampling.start(policy.live(project), name="c", seed="1", rate=1.0)
    assert not SampledPair.objects.exists()  # its frame leaves the pair out
    drawn = {"stratum": "math/2", "u": 0.1, "inclusion_probability": 1.0, "selected": True}
    with pytest.raises(DatabaseError, match="trained the router"), transaction.atomic():
        SampledPair.objects.create(study=study, pair=pair, **drawn)


def test_a_version_made_of_a_trained_one_never_calibrates_on_its_pairs(project, pair, starter):
    example(project, pair, router=starter)
    edited = version("edited", card={"rules_of": starter.name})
    around = version("around", card={"inner": edited.name})
    studied = policy.with_threshold(policy.live(project), 0.0, "", router=around)
    study = sampling.start(studied, name="c", seed="1", rate=1.0)
    assert not study.sample.exists()
    drawn = {"stratum": "math/2", "u": 0.1, "inclusion_probability": 1.0, "selected": True}
    with pytest.raises(DatabaseError, match="trained the router"), transaction.atomic():
        SampledPair.objects.create(study=study, pair=pair, **drawn)
    SampledPair.objects.create(study=study, pair=add_pair(project, 0.5), **drawn)


def test_where_no_heuristic_is_asked_only_pairs_that_raters_spoke_of_are_read(study, pair, project):
    other = add_pair(project, 0.5)
    training_draws.spoken(study, pair, person(), "tie")
    both = sources.pairs(project)
    assert set(both) == {pair.pk, other.pk}
    assert sources.pairs(project, is_spoken=True) == [pair.pk]
    settled = sources.read(project, ("human", "judge"))
    assert list(settled) == [pair.pk]


def test_each_row_is_looked_up_by_its_key_whatever_tables_are_taken_to_hold(project):
    """Tables that were looked at while they were empty would be joined row by row otherwise."""
    with connection.cursor() as cursor:
        given = {"project": project.pk, "pairs": "{1,2,3}"}
        cursor.execute(f"EXPLAIN (FORMAT JSON) {labels._DETAILS}", given)
        (((plan,),),) = cursor.fetchall()
    scans = [one for one in _nodes(plan["Plan"]) if "Relation Name" in one]
    of_pairs = [one for one in scans if one["Relation Name"].startswith("routing_")]
    assert len(of_pairs) == 4
    assert all("Index Cond" in one for one in of_pairs)


def _nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
