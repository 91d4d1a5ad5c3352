"""Too much to do: shadow work gives way first, clients are told at once in their API's words."""

import threading

import httpx2 as httpx
import pytest

from routing.live import live
from routing.models import Request, ShadowJob
from routing.overload import KEPT_SHARE, Load
from routing.records import is_drawn

ASKED = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}]}


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/v1/messages", 529, lambda said: said["error"]["type"]),
        ("/v1/chat/completions", 429, lambda said: said["error"]["type"]),
        ("/api/v1/route", 429, lambda said: said["title"].replace(" ", "_")),
    ],
)
def test_one_call_too_many_is_told_to_come_back(
    path, status, kind, point, service, api_key, provider, settings, eventually
):
    settings.SHADOWEVAL_CONCURRENCY = 1
    point(expensive="anthropic:slow-first-byte")
    provider.first_byte_s = 2
    headers, got = {"x-api-key": api_key}, []
    first = threading.Thread(
        target=lambda: got.append(httpx.post(service + "/v1/messages", json=ASKED, headers=headers))
    )
    first.start()
    eventually(lambda: provider.seen)
    second = httpx.post(service + path, json=ASKED, headers=headers)
    first.join()
    assert (second.status_code, kind(second.json())) == (status, "overloaded_error")
    assert 1 <= int(second.headers["retry-after"]) <= 3
    assert got[0].status_code == 200
    eventually(lambda: Request.objects.count() == 1)  # who was turned away is not recorded


def test_room_comes_back_when_a_call_ends(settings):
    settings.SHADOWEVAL_CONCURRENCY = 1
    load = Load()
    for _ in range(3):
        with load.one_more():
            assert load.in_flight == 1
    assert (load.in_flight, load.refused) == (0, 0)


@pytest.mark.parametrize(
    ("load", "backlog", "share"),
    [
        (Load(), 0, 1.0),
        (Load(in_flight=80), 0, 1.0),
        (Load(in_flight=81), 0, KEPT_SHARE),
        (Load(late_s=0.11), 0, KEPT_SHARE),
        (Load(), 1001, KEPT_SHARE),
    ],
)
def test_shadow_work_gives_way(load, backlog, share, settings, monkeypatch):
    settings.SHADOWEVAL_CONCURRENCY, settings.SHADOWEVAL_SHADOW_BACKLOG = 100, 1000
    settings.SHADOWEVAL_SHADOW_LATE_MS = 100
    monkeypatch.setattr(live, "snapshot", live.snapshot.__class__(backlog=backlog))
    assert load.kept_share() == share


def test_a_backlog_sheds_and_the_header_tells(point, service, api_key, settings, eventually):
    settings.SHADOWEVAL_SHADOW_BACKLOG = -1  # whatever waits is too much
    point(rate=1.0)
    headers = {"x-api-key": api_key}
    told = {}
    for _ in range(12):
        got = httpx.post(service + "/v1/messages", json=ASKED, headers=headers)
        told[got.headers["x-shadoweval-request-id"]] = got.headers["x-shadoweval-shadow"]
    eventually(lambda: ShadowJob.objects.count() == 12)
    jobs = {str(job.request_id): job for job in ShadowJob.objects.all()}
    for name, shadow in told.items():
        is_kept = is_drawn(name, KEPT_SHARE)
        assert shadow == ("cheap" if is_kept else "none")
        assert (jobs[name].rate, jobs[name].reason.split(":")[0]) == (
            KEPT_SHARE,
            "" if is_kept else "overload",
        )
