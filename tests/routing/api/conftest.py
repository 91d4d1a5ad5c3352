"""A key's calls through Django's test client, and requests to call about."""

import json
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from routing import access, policy, recording
from routing.served import Served
from routing.types import ChatRequest, DecisionValue, Reason, Reply, Tier, Usage


@pytest.fixture
def call(api_key):
    """Call the API with the default project's key; a body that is no bytes is sent as JSON."""

    def call(method, path, body=None, key=api_key, **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"x-api-key": key} if key else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        client = Client(raise_request_exception=False)
        return client.generic(
            method, f"/api/v1{path}", raw if body is not None else b"",
            content_type="application/json", headers=sent,
        )  # fmt: skip

    return SimpleNamespace(
        get=lambda path, **more: call("GET", path, **more),
        post=lambda path, body, **more: call("POST", path, body, **more),
        any=call,
    )


@pytest.fixture
def key_with(project):
    """Make a key of the default project with these scopes only."""

    def make(*scopes):
        raw, row = access.create_key(project, "-".join(scopes) or "none")
        row.scopes = list(scopes)
        row.save()
        return raw

    return make


@pytest.fixture
def add_request(project):
    """Record one request as serving does; `age_s` seconds ago."""

    def add(age_s=0, tier=Tier.EXPENSIVE, cost_usd="0.0021", status=200, task="math", of=None):
        owner = of or project
        body = json.dumps({"content": [{"type": "text", "text": "served text"}]}).encode()
        reply = Reply(body, "served text", "m-1", "end_turn", Usage(3, 2), 1.0)
        payload = {"messages": [{"role": "user", "content": "q"}], "max_tokens": 5}
        live = policy.live(owner)
        decision = DecisionValue(tier, Reason.AT_OR_ABOVE_THRESHOLD, live.threshold, 0.5, task=task)
        row = Served(
            request_id=uuid4(), received_at=timezone.now() - timedelta(seconds=age_s),
            project_id=owner.pk, api_key_id=None, policy_id=live.pk, wire="anthropic",
            request=ChatRequest(payload, "q", "auto"), decision=decision, status=status,
            error="" if status == 200 else "provider_error", provider="simulated",
            reply=reply if status == 200 else None,
            cost_usd=None if cost_usd is None else Decimal(cost_usd),
            shadow_rate=1.0, overhead_ms=1.0, latency_ms=2.0,
        )  # fmt: skip
        recording.write([row])
        return row.request_id

    return add


@pytest.fixture
def other_project(starter):
    """A second project."""
    from routing import bootstrap

    return bootstrap.ensure_project("other", "Other", starter)
