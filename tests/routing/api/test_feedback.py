"""Feedback: said once is one row, also when it is said twice at once."""

import threading

import pytest
from django.db import connection

from routing.models import Feedback


@pytest.mark.django_db
def test_the_same_words_are_one_row_and_others_are_added(call, add_request):
    path = f"/requests/{add_request()}/feedback"
    first = call.post(path, {"thumb": "up", "comment": "good"})
    again = call.post(path, {"comment": "good ", "thumb": "up", "score": None})
    more = call.post(path, {"task_completed": False, "score": 0.25})
    assert [reply.status_code for reply in (first, again, more)] == [201, 200, 201]
    assert first.json() == again.json()
    assert (more.json()["thumb"], more.json()["task_completed"]) == (None, False)
    assert Feedback.objects.count() == 2
    shown = call.get(path.removesuffix("/feedback")).json()["feedback"]
    assert shown == [first.json(), more.json()]


@pytest.mark.django_db
def test_feedback_on_two_requests_is_two_rows(call, add_request):
    for one in (add_request(), add_request()):
        assert call.post(f"/requests/{one}/feedback", {"thumb": "down"}).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({}, "body"),
        ({"comment": "  "}, "body"),
        ({"thumb": None}, "body"),
        ({"thumb": "sideways"}, "body.thumb"),
        ({"score": 1.5}, "body.score"),
        ({"score": "0.5"}, "body.score"),
        ({"score": True}, "body.score"),
        ({"task_completed": 1}, "body.task_completed"),
        ({"comment": "x" * 4001}, "body.comment"),
        ({"thumb": "up", "other": 1}, "body.other"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(call, add_request, body, location):
    reply = call.post(f"/requests/{add_request()}/feedback", body)
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["location"] == location
    assert not Feedback.objects.exists()


@pytest.mark.django_db
def test_nul_characters_are_stored_as_what_postgres_can_hold(call, add_request):
    reply = call.post(f"/requests/{add_request()}/feedback", {"comment": "a\0b"})
    assert (reply.status_code, reply.json()["comment"]) == (201, "a\ufffdb")


@pytest.mark.django_db(transaction=True)
def test_two_that_arrive_at_once_leave_one_row(call, add_request):
    path, statuses, gate = f"/requests/{add_request()}/feedback", [], threading.Barrier(6)

    def say():
        gate.wait()
        try:
            statuses.append(call.post(path, {"thumb": "up"}).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=say) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 5 + [201]
    assert Feedback.objects.count() == 1
