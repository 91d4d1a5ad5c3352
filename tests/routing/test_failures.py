"""What stays true when the other side fails: a provider that is down, a worker that is late."""

import json
import socket
import time

import anthropic
import pytest
from django.utils import timezone

from routing import access, outcomes, policy, shadow
from routing.live import live
from routing.models import Completion, Request, ShadowJob, ShadowPair
from routing.types import Reply, TierSpec, Usage
from tests.reviews.rows import add_pair

HELLO = [{"role": "user", "content": "When is my invoice due?"}]


@pytest.fixture
def closed_port():
    """An address at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and never listening: connecting is refused
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def down(project, closed_port):
    """The default project with a policy whose provider is down."""
    spec = TierSpec("anthropic", "m", base_url=closed_port)
    router = policy.live(project).router
    mine = policy.create(project=project, router=router, threshold=0.4, cheap=spec, expensive=spec)
    policy.deploy(mine, by=None, reason="test")


def test_a_provider_that_is_down_is_a_502_in_the_apis_shape_and_recorded(service, api_key, down):
    live.refresh()
    client = anthropic.Anthropic(base_url=service, api_key=api_key, max_retries=0)
    with pytest.raises(anthropic.InternalServerError) as raised:
        client.messages.create(model="auto", max_tokens=5, messages=HELLO)
    assert raised.value.status_code == 502
    assert raised.value.body["type"] == "error"
    assert raised.value.body["error"]["type"] == "api_error"
    end = time.monotonic() + 10
    while not Request.objects.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    row = Request.objects.get()
    assert (row.status, row.error.split(":")[0]) == (502, "provider_unreachable")
    assert (row.shadow_job.state, row.shadow_job.reason.split(":")[0]) == ("skipped", "no_reply")
    assert not Completion.objects.exists()


def test_a_revoked_key_is_refused(service, project, api_key):
    client = anthropic.Anthropic(base_url=service, api_key=api_key, max_retries=0)
    client.messages.create(model="auto", max_tokens=5, messages=HELLO)
    access.revoke(project.api_keys.get())
    live.refresh()
    with pytest.raises(anthropic.AuthenticationError):
        client.messages.create(model="auto", max_tokens=5, messages=HELLO)


@pytest.mark.django_db
def test_the_late_answer_of_a_worker_that_lost_its_job_is_dropped(project):
    done = add_pair(project, 0.3)
    ShadowPair.objects.all().delete()
    Completion.objects.filter(is_shadow=True).delete()
    ShadowJob.objects.update(state="pending", finished_at=None)
    body = json.dumps({"content": [{"type": "text", "text": "late"}]}).encode()
    answer = outcomes.Outcome(Reply(body, "late", "m", "end_turn", Usage(3, 2), 1.0))
    first = shadow.claim(1)[0]
    ShadowJob.objects.update(lease_until=timezone.now())
    shadow.recover()
    second = shadow.claim(1)[0]
    assert (first.pk, first.attempts, second.attempts) == (second.pk, 1, 2)
    outcomes.finish([(first, answer)])
    assert not ShadowPair.objects.filter(request_id=done.request_id).exists()
    outcomes.finish([(second, answer)])
    assert ShadowPair.objects.get().cheap.text == "late"
