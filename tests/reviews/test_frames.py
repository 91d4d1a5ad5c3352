"""Columns read by Postgres are the rows, also when a process has seen a part of them before."""

import hashlib
import math
import random

import numpy as np
import pytest

from reviews import frames, listing, sampling
from reviews.models import Rater, SampledPair, Verdict
from routing import policy
from tests.reviews.rows import add_pair

NUMBERS = (
    "pair__score", "pair__cheap__cost_usd", "pair__expensive__cost_usd",
    "pair__expensive__cost_usd",  # of always expensive: nobody is asked first
    "inclusion_probability", "selected", "pair__rate", "u", "id",
)  # fmt: skip


def plain(study, draw):
    """Return columns and losses as they were computed before: row by row."""
    rows = list(study.sample.order_by("id").values_list("pair_id", *NUMBERS))
    columns = [
        [math.nan if value is None else float(value) for value in column]
        for column in zip(*rows, strict=True)
    ]
    said = {}
    newest = {}
    for verdict in Verdict.objects.filter(study=study, rater__kind="human").order_by("id"):
        newest[verdict.pair_id, verdict.rater_id] = verdict
    for (pair_id, _), verdict in newest.items():
        said.setdefault(pair_id, []).append(verdict)

    def mean(values):
        known = [float(value) for value in values if value is not None]
        return sum(known) / len(known) if known else math.nan

    harm = [
        mean(v.preference == "expensive" if v.preference else None for v in said.get(row[0], ()))
        for row in rows
    ]
    adequate = [mean(v.cheap_adequate for v in said.get(row[0], ())) for row in rows]
    return columns, harm, adequate


@pytest.mark.django_db(transaction=True)
def test_columns_grow_with_the_frame_and_losses_with_every_verdict(project):
    draw = random.Random(5)
    raters = [Rater.objects.create(kind="human", name=str(n)) for n in range(3)]
    judge = Rater.objects.create(kind="llm_judge", name="judge")
    study = sampling.start(policy.live(project), name="s", seed="7", rate=0.7)
    for _ in range(3):
        for _ in range(5):
            score, usd = draw.choice([None, draw.random()]), f"0.{draw.randrange(10**9)}"
            add_pair(project, score, cheap_usd=usd)
        sampling.extend(study)
        pairs = list(study.sample.values_list("pair_id", flat=True))
        for _ in range(12):
            Verdict.objects.create(
                study=study, pair_id=draw.choice(pairs), rater=draw.choice([*raters, judge]),
                preference=draw.choice(["", "cheap", "tie", "expensive"]),
                cheap_adequate=draw.choice([None, True, False]),
            )  # fmt: skip
        last = SampledPair.objects.order_by("-id").first().pk
        rows = frames.draws(study, last)
        harm, adequate = frames.losses(study, "human", Verdict.objects.last().pk, rows)
        columns, *losses = plain(study, draw)
        known = rows[: len(NUMBERS) + 1]
        for got, wanted in zip((*known, harm, adequate), (*columns, *losses), strict=True):
            np.testing.assert_array_equal(got.astype(float), wanted)
    half = int(rows.draw_id[6])
    assert frames.draws(study, half).draw_id.tolist() == rows.draw_id[:7].tolist()


@pytest.mark.django_db
def test_a_row_knows_its_place_in_the_hash_order_its_time_and_its_task(project):
    pairs = [add_pair(project, 0.2, task=task) for task in ("math", "chat", "math")]
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0)
    rows = frames.draws(study, SampledPair.objects.last().pk)
    for at, pair in enumerate(pairs):
        digest = hashlib.sha256(f"order|7|{pair.request_id}".encode()).digest()
        assert int(rows.order[at]) == int.from_bytes(digest[:8])
        assert rows.received_at[at] == pytest.approx(pair.request.received_at.timestamp(), abs=1e-6)
        assert frames.task_names()[rows.task[at]] == pair.task


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verdicts", "strict"),
    [
        ([("expensive", False)], 1.0),
        ([("expensive", True)], 0.0),
        ([("tie", False)], 0.0),
        ([("expensive", True), ("tie", False)], 0.0),
        ([("expensive", False), ("tie", True)], 0.5),
        ([("split", False)], 0.5),
        ([("expensive", None)], math.nan),
        ([("", False)], math.nan),
        ([("cannot", None)], 1.0),
    ],
)
def test_strict_harm_is_what_one_rater_says_of_both(project, verdicts, strict):
    pair = add_pair(project, 0.2)
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0)
    for n, (preference, adequate) in enumerate(verdicts):
        rater = Rater.objects.create(kind="human", name=str(n))
        study.verdicts.create(
            pair=pair, rater=rater, preference=preference, cheap_adequate=adequate
        )
    rows = frames.draws(study, SampledPair.objects.last().pk)
    said = frames.said(study, "human", Verdict.objects.last().pk, rows)
    np.testing.assert_array_equal(said.strict, [strict])


@pytest.mark.django_db
def test_a_list_goes_from_page_to_page_and_back(project):
    pairs = [add_pair(project, 0.2).pk for _ in range(listing.SIZE + 3)][::-1]
    first = listing.page(project)
    second = listing.page(project, before=str(first.older_than))
    assert [row.pk for row in (*first.rows, *second.rows)] == pairs
    assert (first.newer_than, second.older_than) == (None, None)
    back = listing.page(project, after=str(second.newer_than))
    assert [row.pk for row in back.rows] == pairs[: listing.SIZE]
    assert back.newer_than is None
    assert listing.tasks(project) == ["math"]
    assert listing.page(project, "poetry").rows == []
    assert listing.page(project, before="x").rows == first.rows
