"""The judge page: who sees it, who may change it, and what is refused in words."""

import pytest

from reviews import judging, sampling
from reviews.models import JudgeRun, JudgeSpec, Rater, Verdict
from routing import policy
from tests.reviews.judge_rows import add_answers

pytestmark = pytest.mark.django_db

FORM = {"provider": "simulated", "cap_usd": "1", "share": "1", "temperature": "0"}


@pytest.fixture
def study(project):
    add_answers(project, "bad", "a good and longer answer")
    return sampling.start(policy.live(project), name="S", seed="s", rate=1.0)


def post(client, study, **said):
    return client.post("/judge/new/", FORM | {"study": study.pk} | said, follow=True)


@pytest.mark.parametrize(
    ("role", "sees", "runs"),
    [
        ("rater", False, False),
        ("lead", True, True),
        ("engineering", True, False),
        ("product", True, False),
        ("admin", True, True),
    ],
)
def test_who_sees_and_who_starts(as_role, study, role, sees, runs):
    client = as_role(role)
    assert client.get("/judge/").status_code == (200 if sees else 403)
    assert ('href="/judge/"' in client.get("/rate/" if role == "rater" else "/judge/").text) == sees
    assert (post(client, study).status_code == 200) == runs
    assert JudgeSpec.objects.exists() == runs
    if runs:
        spec = JudgeSpec.objects.get()
        client.post(f"/judge/{spec.pk}/switch/", {"action": "stop"})
        assert JudgeRun.objects.get().reason == f"stopped by {role}"
        client.post(f"/judge/{spec.pk}/switch/", {"action": "start"})
        assert JudgeRun.objects.get().state == "running"


def test_without_a_study_there_is_nothing_to_judge(as_role, project):
    assert "No study yet" in as_role("lead").get("/judge/").text


def test_empty_states(as_role, study):
    client = as_role("lead")
    assert "No judge yet" in client.get("/judge/").text
    page = post(client, study).text
    assert "No pair is answered in both orders yet" in page
    assert "not known yet" in page


def test_progress_money_and_admission_are_shown(as_role, study):
    client = as_role("lead")
    post(client, study)
    judging.extend_all()
    judging.run()
    page = client.get("/judge/").text
    for part in ("2 done", "0.0000 of 1.00 USD", "judge, not admitted", "0 pairs rated by people"):
        assert part in page


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"cap_usd": "much"}, "The cap must be"),
        ({"cap_usd": "-1"}, "The cap must be"),
        ({"cap_usd": "nan"}, "The cap must be"),
        ({"share": "0"}, "The share of pairs"),
        ({"share": "nan"}, "The share of pairs"),
        ({"temperature": "3"}, "The temperature"),
        ({"provider": "nobody"}, "The provider must be"),
        ({"provider": "openai", "model": "gpt-unknown"}, "needs a price"),
        ({"provider": "anthropic"}, "A judge needs the name"),
        ({"use_batch": "on"}, "has no batches"),
    ],
)
def test_what_cannot_be_is_refused_in_words(as_role, study, said, sentence):
    client = as_role("lead")
    assert sentence in post(client, study, **said).text
    assert not JudgeSpec.objects.exists()


def test_a_model_of_the_study_is_refused_until_allowed(as_role, study):
    client, model = as_role("lead"), study.policy.cheap["model"]
    said = {"provider": "anthropic", "model": model}
    assert "it would judge its own answers" in post(client, study, **said).text
    assert "begins within" in post(client, study, **said, allow_tier_model="on").text


@pytest.mark.parametrize(
    "said",
    [
        {"url": "http://127.0.0.1:9"},
        {"key_name": "OTHER_API_KEY"},
        {"input": "1", "output": "1"},
    ],
)
def test_only_an_administrator_names_an_address_a_key_or_a_price(as_role, study, said):
    said = {"provider": "anthropic", "model": "claude-opus-5-5"} | said
    client = as_role("lead")
    assert post(client, study, **said).status_code == 403
    assert not JudgeSpec.objects.exists()
    page = client.get("/judge/").text
    assert not any(f'name="{name}"' in page for name in said if name not in ("provider", "model"))
    client = as_role("admin")
    assert 'name="input"' in client.get("/judge/").text
    post(client, study, **said)
    price = JudgeSpec.objects.get().price
    assert price["input_usd"] == said.get("input", "4")


def test_a_lead_starts_a_judge_at_its_list_price(as_role, study):
    post(as_role("lead"), study, provider="anthropic", model="claude-opus-5-5")
    assert JudgeSpec.objects.get().price["input_usd"] == "4"


def test_a_price_of_0_is_refused_in_words(as_role, study):
    said = {"provider": "openai", "model": "j", "input": "0", "output": "1"}
    assert "needs a price above 0" in post(as_role("admin"), study, **said).text
    assert not JudgeSpec.objects.exists()


def test_a_key_never_goes_to_another_address_by_default(as_role, study):
    said = {"provider": "openai", "model": "j", "input": "1", "output": "1"}
    client = as_role("admin")
    post(client, study, **said)
    assert JudgeSpec.objects.latest("pk").key_name == "OPENAI_API_KEY"
    post(client, study, **said, url="http://127.0.0.1:9")
    assert JudgeSpec.objects.latest("pk").key_name == ""


def test_the_threshold_page_says_that_a_judge_alone_is_not_admitted(as_role, study):
    client = as_role("product")
    judge = Rater.objects.create(kind="llm_judge", name="imported")
    pair = study.sample.get().pair
    Verdict.objects.create(study=study, pair=pair, rater=judge, preference="tie")
    page = client.get("/threshold/").text
    assert "not admitted" in page
    assert "Request sign-off" not in page


@pytest.mark.parametrize("wanted", ["²", "x", "9" * 30, ""])
def test_a_study_that_cannot_be_is_no_error(as_role, study, wanted):
    client = as_role("lead")
    assert client.get("/judge/", {"study": wanted}).status_code == 200
    assert client.post("/judge/new/", FORM | {"study": wanted}).status_code == 404
