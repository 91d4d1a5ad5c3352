"""Quarterly reviews: what is compared, once, frozen; their pages."""

from datetime import UTC, date, datetime, timedelta

import pgtrigger
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.db.models import Value
from django.db.models.functions import Concat
from django.utils import timezone

from reviews import quarters, rating, rollout, sampling
from reviews.errors import Conflict, NotAllowed
from reviews.models import AuditEntry, Notice, QuarterReview, Rater, SignOff, Verdict
from routing import bootstrap, policy
from routing.models import Deployment, Request, RouterVersion
from tests.reviews.rows import add_pairs, add_request
from tests.reviews.signing import approve, ask, person, rated_study

pytestmark = pytest.mark.django_db
N = 20


@pytest.fixture
def row(project, smtp):
    """A sign-off of 0.6 whose policy is live since two days ago."""
    signed = sign(project)
    Request.objects.update(received_at=timezone.now() - timedelta(days=30))
    return live_since(signed, timezone.now() - timedelta(days=2))


def sign(project):
    """Return a sign-off of 0.6, its policy live from now on."""
    study = rated_study(project)
    signed = ask(study, person("paula", "product", email="paula@example.org"))
    signed = approve(signed, person("erik", "engineering"), person("pat", "product"))
    rollout.run_due()
    signed.refresh_from_db()
    return signed


def live_since(signed, at):
    """Let its policy have gone live then, the day after it was signed."""
    SignOff.objects.filter(pk=signed.pk).update(decided_at=at - timedelta(days=1))
    with pgtrigger.ignore("routing.Deployment:append_only"):
        Deployment.objects.filter(policy=signed.policy_after).update(created_at=at)
    signed.refresh_from_db()
    return signed


def live_on(project, harmed):
    """Serve and rate a day's requests: ten of twenty scored below the threshold, some harmed."""
    yesterday = timezone.now() - timedelta(days=1)
    before = list(Request.objects.values_list("pk", flat=True))
    pairs = add_pairs(project, [0.1] * (N // 2) + [0.9] * (N // 2))
    for n in range(N):
        add_request(project, 0.1, "cheap" if n < N // 2 else "expensive", threshold=0.6)
    Request.objects.exclude(pk__in=before).update(received_at=yesterday)
    study = sampling.start(policy.live(project), name="Since", seed="8", rate=1.0)
    rater = rating.rater_of(person("rob", "rater"))
    for place, pair in enumerate(pairs):
        said = "expensive" if place < harmed else "tie"
        Verdict.objects.create(
            study=study, pair=pair, rater=rater, preference=said, cheap_adequate=said == "tie"
        )
    return study


def today():
    return timezone.now().astimezone(UTC).date()


def test_the_quarter_is_compared_with_what_was_signed(project, row):
    study = live_on(project, harmed=4)
    lena = person("lena", "lead")
    made = quarters.ask(project, by=lena, today=today() + timedelta(days=1))
    said = made.content
    assert said["signed"]["degradation"]["value"] == 0.0  # rated ties alone
    assert said["signed"]["degradation"]["n"] == 8
    (found,) = said["ratings"]
    assert (found["study"], found["is_living"], found["adequacy"]["value"]) == (
        study.pk, False, pytest.approx(0.6),
    )  # fmt: skip
    share = said["traffic"]["cheap_share"]
    assert (share["value"], share["n"]) == (0.25, 2 * N)
    degradation = found["degradation"]
    assert degradation["value"] == pytest.approx(0.4 * 0.25)
    assert degradation["n"] == 10
    assert 0.03 * 0.25 < degradation["low"] < 0.1 < degradation["high"] < 0.2
    assert quarters.is_whole(made)


def test_what_the_ratings_come_to_in_words(project, row):
    live_on(project, harmed=0)
    last = today()
    text = quarters.sentence(quarters.write(row, last - timedelta(days=9), last).content)
    assert text.startswith("0.0 % of requests")
    assert "neither shown to hold" in text
    content = QuarterReview.objects.get().content
    content["ratings"][0]["degradation"] |= {"low": 0.06, "value": 0.1, "high": 0.2}
    assert quarters.sentence(content).endswith("the floor of 5.0 % is broken.")
    content["ratings"][0]["degradation"] |= {"low": 0.0, "value": 0.01, "high": 0.04}
    assert quarters.sentence(content).endswith("the floor of 5.0 % holds.")


def test_without_ratings_nothing_is_said(project, row):
    made = quarters.write(row, date(2020, 1, 1), date(2020, 3, 31))
    assert made.content["ratings"] == []
    assert made.content["traffic"]["cheap_share"]["value"] is None
    assert "not known" in quarters.sentence(made.content)


def test_the_clock_writes_each_quarter_once_and_tells_people(project, row):
    live_since(row, datetime(2025, 11, 1, tzinfo=UTC))
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert [quarters.run_due(now) for _ in range(2)] == [1, 0]
    made = QuarterReview.objects.get()
    assert (made.first_day, made.last_day) == (date(2025, 10, 1), date(2025, 12, 31))
    assert made.content["from"].startswith("2025-11-01")
    assert Notice.objects.filter(event="quarter.reviewed", to__username="paula").count() == 1
    assert AuditEntry.objects.filter(event="quarter.reviewed").count() == 1
    assert quarters.run_due(datetime(2026, 4, 1, tzinfo=UTC)) == 1


def test_what_cannot_be_read_of_one_project_stops_no_other(starter, row, monkeypatch):
    User.objects.update(username=Concat("username", Value("-before")))
    Rater.objects.update(name=Concat("name", Value("-before")))
    other = sign(bootstrap.ensure_project("other", "Other", starter))
    asked, real = [], quarters._traffic

    def first_fails(signed, *days):
        asked.append(signed.pk)
        if len(asked) == 1:
            raise KeyError("point")
        return real(signed, *days)

    monkeypatch.setattr(quarters, "_traffic", first_fails)
    for signed in (row, other):
        live_since(signed, datetime(2025, 11, 1, tzinfo=UTC))
    assert quarters.run_due(datetime(2026, 1, 2, tzinfo=UTC)) == 1
    assert set(asked) == {row.pk, other.pk}
    assert QuarterReview.objects.get().signoff_id == asked[1]


def test_a_quarter_before_the_signature_is_not_reviewed(project, row):
    assert quarters.run_due(datetime(2020, 1, 2, tzinfo=UTC)) == 0


def test_who_runs_no_studies_is_refused_and_a_second_one_too(project, row):
    with pytest.raises(NotAllowed):
        quarters.ask(project, by=person("emil", "engineering"))
    lena = person("lena", "lead")
    quarters.ask(project, by=lena)
    with pytest.raises(Conflict):
        quarters.ask(project, by=lena)


def test_what_was_never_signed_has_nothing_to_compare_with(project):
    with pytest.raises(Conflict, match="never signed"):
        quarters.ask(project, by=person("lena", "lead"))


def test_a_review_never_changes(project, row):
    made = quarters.write(row, date(2020, 1, 1), date(2020, 3, 31))
    with pytest.raises(DatabaseError), transaction.atomic():
        QuarterReview.objects.filter(pk=made.pk).update(content={})
    made.content["floor"] = 0.5
    assert not quarters.is_whole(made)


def test_the_pages_list_show_and_ask(as_role, project, row):
    client = as_role("lead")
    assert "None yet" in client.get("/quarters/").content.decode()
    live_on(project, harmed=1)
    there = client.post("/quarters/", {"project": project.slug}).url
    text = client.get(there).content.decode()
    for said in ("Signed and since", "by human", "as it was hashed", "USD per 1,000"):
        assert said in text
    assert there in client.get("/quarters/").content.decode()
    assert RouterVersion.objects.count() == 1


def test_who_only_looks_has_no_button(as_role, project, row):
    client = as_role("product")
    assert "now</button>" not in client.get("/quarters/").content.decode()
    assert client.post("/quarters/", {"project": project.slug}).status_code == 403
