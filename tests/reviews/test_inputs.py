"""Which rows of a study count, in which order, and with which probabilities."""

import numpy as np
import pytest

from reviews import inputs
from tests.reviews.columns import DAY, plan, study


def unrate(found, wanted):
    """Return the study without what was said of some rows."""
    said = {
        name: np.where(wanted, np.nan, getattr(found.columns, name))
        for name in ("harm", "adequate", "strict")
    }
    return inputs.Inputs(found.columns._replace(**said), found.about)


def test_the_hash_order_is_that_of_the_hashes():
    found = study(n=50)
    rows = inputs.taken(found, plan(), "hash", is_final=True)
    assert found.columns.order[rows.places].tolist() == list(range(50))


def test_a_budget_ends_the_queue_at_the_first_pair_beyond_it():
    found = study(n=400)
    place = inputs.place(found.columns)
    rows = inputs.taken(found, plan(rating_budget=30), "hash", is_final=True)
    assert rows.n_due == 30
    assert rows.cut == sorted(place)[30]
    np.testing.assert_allclose(rows.rows.pi, rows.cut * 0.25)
    assert rows.rows.rated.sum() == 30


def test_a_budget_that_is_never_reached_changes_nothing():
    rows = inputs.taken(study(n=400), plan(rating_budget=4000), "hash", is_final=True)
    assert rows.cut == 1


def test_before_the_end_the_queue_counts_up_to_its_first_gap():
    found = study(n=400)
    place = inputs.place(found.columns)
    gap = sorted(place)[40]
    found = unrate(found, (place == gap) | (place == sorted(place)[60]))
    rows = inputs.taken(found, plan(), "hash", is_final=False)
    assert (rows.cut, rows.n_due, rows.n_waiting) == (gap, 40, 0)


def test_at_the_end_what_nobody_rated_is_a_loss():
    found = study(n=400)
    found = unrate(found, inputs.place(found.columns) < 0.1)
    rows = inputs.taken(found, plan(), "hash", is_final=True)
    assert rows.cut == 1
    assert rows.n_waiting == np.isnan(rows.rows.loss[rows.rows.rated]).sum() > 0


def test_imported_labels_leave_no_gap_but_losses():
    found = study(n=400, about={"from_queue": False})
    found = unrate(found, inputs.place(found.columns) < 0.1)
    rows = inputs.taken(found, plan(), "hash", is_final=False)
    assert (rows.cut, rows.n_waiting > 0) == (1, True)


@pytest.mark.parametrize(("loss", "worse"), [("harm", 4), ("strict_harm", 4), ("inadequate", 6)])
def test_a_lost_request_is_known_without_being_drawn(loss, worse):
    lost = np.zeros(400, np.int8)
    lost[:3], lost[3], lost[4:6] = inputs.NO_CHEAP, inputs.UNASKED, inputs.NO_EXPENSIVE
    none = np.where(lost > 0, np.nan, 0.0)
    said = {"harm": none, "adequate": 1 - none, "strict": none}
    found = study(n=400, lost=lost, pi=0.25, selected=lost == 0, u=np.full(400, 0.1), **said)
    rows = inputs.taken(found, plan(rating_budget=10, loss=loss), "hash", is_final=True)
    is_lost = lost[rows.places] > 0
    assert rows.rows.pi[is_lost].tolist() == [1.0] * 6
    assert rows.rows.rated[is_lost].all()
    assert rows.rows.loss[is_lost].sum() == worse
    assert rows.adequate[is_lost].sum() == 0


def test_days_come_as_they_came_and_an_unfinished_one_holds_up_the_rest():
    found = study(n=400, days=20)
    rows = inputs.taken(found, plan(), "arrival", is_final=True)
    assert (np.diff(found.columns.received_at[rows.places]) >= 0).all()
    assert rows.places.size == 400
    day = np.floor(found.columns.received_at / DAY)
    one = np.flatnonzero(found.columns.selected & (day == 5))[0]
    waiting = unrate(found, np.arange(400) == one)
    rows = inputs.taken(waiting, plan(), "arrival", is_final=True)
    assert set(day[rows.places]) == {0, 1, 2, 3, 4}
    assert rows.n_waiting == 0


def test_while_it_runs_the_newest_day_is_not_over():
    found = study(n=400, days=20)
    rows = inputs.taken(found, plan(), "arrival", is_final=False)
    assert found.columns.received_at[rows.places].max() < 19 * DAY


def test_every_look_at_a_stream_plans_the_same():
    found = study(n=2000, days=20)
    early = inputs.Inputs(inputs.Columns(*(c[:1000] for c in found.columns)), found.about)
    planned = [
        inputs.taken(one, plan(), "arrival", is_final=False).n_plan for one in (found, early)
    ]
    assert planned == [2800, 2800]


@pytest.mark.parametrize(
    ("name", "loss"), [("harm", [1, 0]), ("inadequate", [0.5, 1]), ("strict_harm", [0.25, 0])]
)
def test_the_plan_says_what_a_loss_is(name, loss):
    said = study(n=2, harm=np.array([1.0, 0]), adequate=np.array([0.5, 0]),
                 strict=np.array([0.25, 0])).columns  # fmt: skip
    assert inputs.loss(said, name).tolist() == loss


def test_the_hash_is_that_of_every_column_and_of_what_is_said():
    found = study(n=20)
    hashes = {found.sha256}
    for name, column in found.columns._asdict().items():
        changed = ~column if column.dtype == bool else column + 1
        if name in ("judge",):
            changed = np.zeros(20)
        hashes.add(inputs.Inputs(found.columns._replace(**{name: changed}), found.about).sha256)
    hashes.add(study(n=20, about={"moment": "1.2"}).sha256)
    assert len(hashes) == len(inputs.Columns._fields) + 2
    assert study(n=20).sha256 == found.sha256
