"""The sentence on top: complete where something is certified, and careful where nothing is."""

import pytest

from reviews import headline

PLAN = {
    "floor": 0.1, "confidence": 0.95, "loss": "harm", "is_certifying": True, "is_final": True,
    "is_by_task": False, "certified": 0.28, "missing": "8 more ratings.", "no_money": "",
    "n_days": 9,
}  # fmt: skip
MONEY = {"month_usd": 1234.0, "month_usd_low": 900.0, "month_usd_high": 1567.0}
POINT = {
    "threshold": 0.28, "cheap_share": 0.23, "cheap_count": 28, "certified": True,
    "trivially_safe": False, **MONEY,
}  # fmt: skip
NO_MONEY = dict.fromkeys(MONEY)
SURE = "95 % sure that at most 10 % of all requests get a worse answer"


def said(plan=(), **point):
    return headline.of(POINT | point, PLAN | dict(plan))


def test_a_final_certificate_says_share_promise_and_money():
    assert said() == (
        f"At 0.28, 23 % of requests go to the cheap model; we are {SURE}; about $1,230 a month "
        "saved ($900 to $1,570, from 9 days)."
    )


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("inadequate", "at most 10 % of all requests get an answer that is not good enough"),
        ("strict_harm", "at most 10 % of all requests get a worse answer that is not good enough"),
    ],
)
def test_the_loss_is_called_by_its_name(loss, words):
    assert words in said({"loss": loss})


def test_before_the_end_it_is_a_preview():
    assert f" with these ratings, we would be {SURE};" in said({"is_final": False})


def test_what_is_not_certified_is_said_with_what_is_or_what_it_takes():
    nots = f"cheap model. Not certified: we are not {SURE}."
    above = said(threshold=0.5, certified=False)
    assert f"{nots} The largest certified threshold is 0.28. About $1,230 a month saved" in above
    running = said({"is_final": False, "certified": None}, certified=False)
    assert f"{nots} 8 more ratings. About" in running


def test_a_threshold_with_too_few_ratings_for_adequacy_is_not_said_to_harm():
    below = said(threshold=0.04, certified=False, trivially_safe=True)
    assert "Not certified: too few ratings lie below it to test how many of these" in below
    none = said({"certified": None}, certified=False, trivially_safe=True)
    assert "the floor for harm holds, but that enough of these answers" in none
    assert "sure" not in below + none


def test_what_takes_no_rating_says_so():
    assert f"{SURE}, which takes no rating: no more are cheap; about" in said(trivially_safe=True)


def test_a_part_is_never_certified():
    text = said({"is_certifying": False}, certified=False)
    assert "Whether the floor holds is not said of a part of the traffic" in text
    assert "sure" not in text


def test_nothing_cheap_and_nothing_known_are_said_alone():
    assert said(cheap_count=0).endswith("nothing gets worse and nothing is saved.")
    assert said(cheap_share=None) == "At 0.28, nothing is known: there are no pairs."


def test_money_has_its_reason_where_it_is_missing_and_is_spent_where_it_is_not_saved():
    assert said({"no_money": "costs are unknown"}, **NO_MONEY).endswith("; costs are unknown.")
    assert said(**NO_MONEY).endswith("get a worse answer.")
    spent = said(month_usd=-3.0, month_usd_low=-5.0, month_usd_high=-1.0)
    assert spent.endswith("; about $3 a month more is spent ($1 to $5, from 9 days).")


def test_one_threshold_of_a_plan_by_task_type_is_not_certified():
    text = said({"is_by_task": True}, certified=False)
    assert "this plan certifies a threshold for each task type, not one. About" in text


def test_thresholds_by_task_type_have_one_sentence():
    chosen = {"n_certified": 2, "n_tasks": 3, "cheap_share": 0.5, **MONEY}
    promise = "at most 10 % of the requests of each of these types get a worse answer"
    start = "With a threshold of their own for 2 of 3 task types, 50 % of all requests go to the"
    assert headline.by_task(chosen, PLAN).startswith(
        f"{start} cheap model; we are 95 % sure that {promise}; about $1,230 a month saved"
    )
    running = headline.by_task(chosen, PLAN | {"is_final": False})
    assert f" with these ratings, we would be 95 % sure that {promise};" in running
    none = headline.by_task(chosen | {"n_certified": 0}, PLAN)
    assert none.startswith("For no task type are we 95 % sure that at most 10 % of its requests")
