"""Which of a ramp's two policies decides: the named one, else a draw that a larger share keeps."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from scipy import stats

from routing.models import Policy
from routing.ramp import Ramp, is_in_share
from routing.types import ChatRequest
from routing.wire import shape

TARGET, REST = Policy(pk=12, number=4), Policy(pk=9, number=3)
SHARES = (0.01, 0.1, 0.25, 0.5, 0.9)


def asking(model="auto", session="", tool_id=""):
    call = {"type": "tool_use", "id": tool_id, "name": "look", "input": {}}
    turns = [{"role": "assistant", "content": [call]}] if tool_id else []
    payload = {"messages": [*turns, {"role": "user", "content": "q"}], "max_tokens": 5}
    return ChatRequest(payload, "q", model, session=session)


def chosen(request, share=0.5, id_=None, ramp=None):
    ramp = ramp or Ramp(TARGET, REST, share)
    return ramp.choose(request, shape.of(request), id_ or uuid4())


def test_without_a_rest_the_target_decides_everything():
    whole = Ramp(TARGET)
    assert whole.policies == (TARGET,)
    assert {chosen(asking(session=str(i)), ramp=whole) for i in range(50)} == {TARGET}


@pytest.mark.parametrize("share", SHARES)
def test_a_share_is_honoured(share):
    n = 4000
    hits = sum(chosen(asking(), share, UUID(int=i)) is TARGET for i in range(n))
    assert stats.binomtest(hits, n, share).pvalue > 1e-4


def test_who_is_in_a_share_is_in_every_larger_one():
    keys = [f"basket-{i}" for i in range(2000)]
    inside = [{key for key in keys if is_in_share(12, key, share)} for share in SHARES]
    for smaller, larger in zip(inside, inside[1:], strict=False):
        assert smaller < larger
    assert all(is_in_share(12, key, 1.0) for key in keys)


def test_another_target_draws_others_first():
    keys = [f"basket-{i}" for i in range(4000)]
    both = sum(is_in_share(12, key, 0.5) and is_in_share(13, key, 0.5) for key in keys)
    assert stats.binomtest(both, len(keys), 0.25).pvalue > 1e-4


def test_turns_of_a_named_conversation_have_one_policy_whatever_their_marks():
    for i in range(40):
        turns = [asking(session=f"s{i}"), asking(session=f"s{i}", tool_id=f"call-{i}")]
        assert len({chosen(turn) for turn in turns for _ in range(3)}) == 1
    assert {chosen(asking(session=f"s{i}")) for i in range(40)} == {TARGET, REST}


def test_the_same_marks_have_one_policy():
    for i in range(40):
        assert len({chosen(asking(tool_id=f"call-{i}")) for _ in range(3)}) == 1
    assert {chosen(asking(tool_id=f"call-{i}")) for i in range(40)} == {TARGET, REST}


def test_half_a_character_in_a_mark_is_drawn_too():
    assert chosen(asking(tool_id="\ud800")) in (TARGET, REST)


@pytest.mark.parametrize(("model", "policy"), [("policy-4", TARGET), ("policy-3", REST)])
def test_a_name_pins_its_policy(model, policy):
    assert {chosen(replace(asking(model), session=str(i)), 0.5) for i in range(40)} == {policy}
