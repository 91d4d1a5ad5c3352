"""Notices wait as rows, leave by mail and webhook, and are tried again."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from reviews import notices, signoff, webhook
from reviews.errors import NotSent
from reviews.models import Notice, SignOff
from tests.reviews.race import after
from tests.reviews.signing import approve, ask, person, rated_study
from tests.webhook import Receiver

pytestmark = pytest.mark.django_db
SECRET = "between us"


@pytest.fixture
def hook(settings):
    """A receiver on the loopback that the settings name."""
    receiver = Receiver()
    settings.SHADOWEVAL_WEBHOOK_URL = receiver.url
    settings.SHADOWEVAL_WEBHOOK_SECRET = SECRET
    settings.PUBLIC_URL = "https://eval.example.org"
    yield receiver
    receiver.close()


@pytest.fixture
def people():
    return {
        name: person(name, *roles, email=f"{name}@example.org")
        for name, roles in {
            "paula": ("product",), "erik": ("engineering",), "pat": ("product",), "rae": ("rater",),
        }.items()
    }  # fmt: skip


@pytest.fixture
def study(project):
    return rated_study(project)


def test_who_can_sign_gets_a_mail_and_who_asks_gets_the_answers(smtp, study, people):
    row = ask(study, people["paula"])
    assert smtp.mails == []
    notices.send_due()
    assert sorted(to for to, _ in smtp.mails) == [["erik@example.org"], ["pat@example.org"]]
    text = smtp.mails[0][1].get_content()
    assert f"https://eval.example.org/signoffs/{row.pk}/" in text
    assert "paula asks for 0.6" in text
    smtp.mails.clear()
    approve(row, people["erik"])
    notices.send_due()
    assert [to for to, _ in smtp.mails] == [["paula@example.org"]]


def test_the_webhook_gets_a_signed_message(hook, study, people):
    row = ask(study, people["paula"], thresholds={"math": 0.2})
    notices.send_due()
    [(headers, body)] = hook.taken
    said = json.loads(body)
    assert said["text"].endswith("paula asks for 0.6; your signature is needed.")
    assert (said["event"], said["signoff"], said["state"]) == (
        "signoff.requested", row.pk, "requested",
    )  # fmt: skip
    assert (said["thresholds"], said["by"]) == ({"math": 0.2}, "paula")
    assert said["url"] == f"https://eval.example.org/signoffs/{row.pk}/"
    stamp = headers["x-shadoweval-timestamp"]
    signed = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["x-shadoweval-signature"] == f"v1={signed}"
    assert abs(int(stamp) - timezone.now().timestamp()) < 60


def test_no_notice_holds_a_prompt_or_a_reason(hook, smtp, study, people):
    row = ask(study, people["paula"])
    signoff.comment(row, user=people["erik"], text="secret words")
    approve(row, people["erik"], people["pat"])
    notices.send_due()
    said = str(hook.taken) + "".join(mail.get_content() for _, mail in smtp.mails)
    assert not any(word in said for word in ("from cheap", "secret words", "good\\n"))


@pytest.mark.parametrize("answer", [302, 400, 500])
def test_a_failure_is_tried_again_and_seen(hook, study, people, answer):
    ask(study, people["paula"])
    hook.answers, now = answer, timezone.now()
    assert notices.send_due(now) == 0
    row = Notice.objects.get()
    assert (row.state, row.attempts, row.problem) == (
        "waiting",
        1,
        f"The webhook answered {answer}.",
    )
    assert timedelta(seconds=60) <= row.next_at - now < timedelta(seconds=90)
    assert notices.send_due(row.next_at - timedelta(seconds=1)) == 0
    assert len(hook.taken) == 1
    hook.answers = 200
    assert notices.send_due(row.next_at) == 1
    row.refresh_from_db()
    assert (row.state, row.attempts, row.problem) == ("sent", 2, "")
    assert notices.send_due(now + timedelta(days=1)) == 0


def test_it_is_given_up_in_the_end(hook, study, people):
    ask(study, people["paula"])
    hook.answers, now = 500, timezone.now()
    for day in range(notices.ATTEMPTS + 2):
        notices.send_due(now + timedelta(days=day))
    assert len(hook.taken) == notices.ATTEMPTS
    assert Notice.objects.get().state == "failed"


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_one(hook, study, people):
    ask(study, people["paula"])
    after(notices.send_due, notices.send_due)
    assert len(hook.taken) == 1


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_began_long_ago_holds_what_it_sends_now(hook, study, people):
    ask(study, people["paula"])
    began = timezone.now() - timedelta(minutes=5)
    Notice.objects.update(next_at=began)

    def other_worker():
        notices.send_due()
        connection.close()

    hook.meanwhile = other_worker
    assert notices.send_due(began) == 1
    assert len(hook.taken) == 1


def test_a_name_of_two_lines_is_one_subject(smtp, study, people):
    study.project.name = "Basket\nBcc: x@example.org"
    ask(study, people["paula"])
    assert notices.send_due() == 2
    assert {mail["subject"] for _, mail in smtp.mails} == {
        f"Basket Bcc: x@example.org: {SignOff.objects.get()}"
    }


def test_an_address_that_is_none_keeps_nobody_else_from_theirs(smtp, study, people):
    User.objects.filter(username="erik").update(email="a b@@c\n")
    ask(study, people["paula"])
    assert notices.send_due() == 1
    assert {row.problem for row in Notice.objects.filter(state="waiting")} == {
        "The mail was not sent: its address or subject cannot be one."
    }


@pytest.mark.parametrize("url", ["https://example.org:99999/", f"https://{'a' * 64}.org/"])
def test_a_webhook_that_cannot_be_one_is_a_failure(settings, url):
    settings.SHADOWEVAL_WEBHOOK_URL = url
    with pytest.raises(NotSent):
        webhook.send({})


def test_the_same_key_tells_once(hook, study, people):
    row = ask(study, people["paula"])
    for _ in range(2):
        notices.tell(row, "x", "once", [], key="once")
    assert Notice.objects.filter(event="x").count() == 1


def test_the_demo_tells_nobody(hook, smtp, demo, people):
    ask(rated_study(demo), people["paula"])
    assert not Notice.objects.exists()


def test_without_mail_and_webhook_nothing_waits(study, people):
    ask(study, people["paula"])
    assert not Notice.objects.exists()


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.org/", "https://10.1.2.3/", "https://169.254.169.254/", "https://[fd00::1]/",
     "https://[64:ff9b::10.0.0.1]/", "https://[2002:a9fe:a9fe::]/", "https://[::127.0.0.1]/",
     "https://[fec0::1]/", "https://224.0.0.1/"],
)  # fmt: skip
def test_an_address_in_clear_or_inside_is_not_asked(settings, url):
    settings.SHADOWEVAL_WEBHOOK_URL = url
    with pytest.raises(NotSent, match="https://|private"):
        webhook.send({"text": "x"})


def test_nobody_there_is_a_failure(settings):
    settings.SHADOWEVAL_WEBHOOK_URL = "http://127.0.0.1:9/"
    with pytest.raises(NotSent, match="not reached"):
        webhook.send({"text": "x"})
