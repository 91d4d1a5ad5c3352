"""Two orders become one verdict, whose harm is the share of them that prefers expensive."""

import itertools

import pytest

from reviews import judge_reply
from reviews.models import JudgeCall

ORDERS = JudgeCall.Order.values
#: By what is held by tier: what a judge says, cheap first and expensive first.
CHOICES = {
    "cheap": ("first", "second"),
    "expensive": ("second", "first"),
    "tie": ("tie", "tie"),
    "both_bad": ("both_bad", "both_bad"),
}
BOTH = {
    ("cheap", "cheap"): "cheap",
    ("tie", "tie"): "tie",
    ("both_bad", "both_bad"): "both_bad",
    ("expensive", "expensive"): "expensive",
    ("cheap", "tie"): "tie",
    ("cheap", "both_bad"): "tie",
    ("tie", "both_bad"): "tie",
    ("cheap", "expensive"): "split",
    ("tie", "expensive"): "split",
    ("both_bad", "expensive"): "split",
}


def calls(held, adequate=((True, True), (True, True))):
    return [
        JudgeCall(
            order=order,
            choice=CHOICES[preference][place],
            cheap_adequate=both[0],
            expensive_adequate=both[1],
        )
        for place, (order, preference, both) in enumerate(zip(ORDERS, held, adequate, strict=True))
    ]


@pytest.mark.parametrize("held", [*itertools.product(CHOICES, repeat=2)])
def test_split_is_where_exactly_one_order_prefers_expensive(held):
    expected = BOTH.get(held) or BOTH[held[::-1]]
    assert judge_reply.combined(calls(held))["preference"] == expected
    assert (expected == "split") == (held.count("expensive") == 1)


def test_an_adequacy_on_which_the_orders_disagree_is_unknown():
    said = judge_reply.combined(calls(("tie", "tie"), ((True, False), (False, False))))
    assert (said["cheap_adequate"], said["expensive_adequate"]) == (None, False)
