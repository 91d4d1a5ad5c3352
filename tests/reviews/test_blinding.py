"""What a rater sees around the two answers."""

from reviews import blinding


def test_a_prefill_is_shown_after_the_question_and_not_as_an_earlier_turn():
    payload = {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "reply"},
            {"role": "user", "content": "asked"},
            {"role": "assistant", "content": "It begins"},
        ],
    }
    turns = blinding._earlier_turns(payload)
    assert turns == ["System: Be brief.", "User: first", "Assistant: reply"]
    assert blinding._prefill(payload) == ["Assistant: It begins"]


def test_a_single_question_has_nothing_around_it():
    payload = {"messages": [{"role": "user", "content": "asked"}]}
    assert (blinding._earlier_turns(payload), blinding._prefill(payload)) == ([], [])
