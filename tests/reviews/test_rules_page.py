"""Rules of a version: rows and their sentences, the dry run on planted requests, and saving."""

import hashlib

import pytest
from django.utils import timezone

from reviews import sampling
from reviews.models import Verdict
from routing import policy, routers
from routing.models import Deployment, Policy, RouterVersion
from routing.routers import assembled, constant, rules
from routing.types import Reason, Tier
from tests.reviews import training_draws
from tests.reviews.challenged import version
from tests.reviews.rows import add_pair, add_request
from tests.routing import libraries

pytestmark = pytest.mark.django_db
HERE = "/routers/rules/"
GREETING = ("greeting", "greeting", "0", "")
LONG = ("long_input", "longer_than", "1", "20")
PROOF = ("proof", "matches", "1", "(?i)prove")


def ruled(project, *its, value=0.4, name="ruled", **fields):
    """Write a version that says one thing where no rule has the word."""
    artifact = assembled.dumps(constant.dumps(value), rules=rules.Rules(its))
    return RouterVersion.objects.create(
        name=name, kind="rules", embedder="", artifact=artifact, project=project,
        sha256=hashlib.sha256(artifact).hexdigest(), **fields,
    )  # fmt: skip


def form(base, *rows, action="dry", **more):
    said = {"project": "default", "version": base.pk, "action": action, "at": "0.5", **more}
    for n, (name, kind, value, setting, *off) in enumerate(rows):
        said |= {f"name-{n}": name, f"kind-{n}": kind, f"value-{n}": value}
        said |= {f"setting-{n}": setting} | ({} if off else {f"on-{n}": "yes"})
    return said


@pytest.fixture
def lead(as_role):
    return as_role("lead")


@pytest.fixture
def base(project):
    return ruled(project, rules.Rule("greeting", "greeting", 0.0))


def dry(client, base, *rows, **more):
    answer = client.post(HERE, form(base, *rows, **more))
    assert answer.status_code == 200
    return answer.context["found"]


def test_the_live_routers_rules_are_shown_first(as_role, project, base):
    answer = as_role("product").get(HERE)
    assert answer.context["base"] == policy.live(project).router
    assert "long_input: longer_than 12000" in answer.content.decode()
    assert "Dry run" not in answer.content.decode()
    named = as_role("lead").get(f"{HERE}?version={base.pk}")
    assert [row.name for _, row in named.context["rows"]] == ["greeting"]


@pytest.mark.parametrize("named", ["999", "x", "control", "theirs"])
def test_a_version_that_can_have_no_rules_is_not_found(lead, project, demo, named):
    rows = {"control": version("control", project=project), "theirs": ruled(demo, name="theirs")}
    named = rows[named].pk if named in rows else named
    assert lead.get(f"{HERE}?project=default&version={named}").status_code == 404


def test_what_would_change_is_counted_by_hand(lead, project, base):
    easy = add_pair(project, 0.4, query="hello")
    add_pair(project, 0.4, query="Prove it")
    add_pair(project, 0.4, query="prove that as well, at length", task="code")
    add_pair(project, 0.4, query="a plain question")
    add_request(project, 0.4, Tier.CHEAP, threshold=0.5, reason=Reason.FORCED)
    found = dry(lead, base, PROOF)
    assert (found.n, found.n_changed, found.n_to_cheap, found.n_unknown) == (4, 2, 0, 0)
    assert [(c.excerpt, c.old_rule, c.new_rule, c.was, c.to) for c in found.changes] == [
        ("prove that as well, at length", "", "proof", Tier.CHEAP, Tier.EXPENSIVE),
        ("Prove it", "", "proof", Tier.CHEAP, Tier.EXPENSIVE),
    ]
    # The greeting lost its rule, and what stands beneath sends it where the rule did.
    assert easy.request_id not in {c.request_id for c in found.changes}
    found = dry(lead, base, PROOF, at="0.3")
    assert [(c.excerpt, c.old_rule, c.to) for c in found.changes] == [
        ("hello", "greeting", Tier.EXPENSIVE)
    ]
    assert [(c.name, c.n) for c in found.caught] == [("proof", 2)]


def test_the_first_rule_that_fits_has_the_word_and_one_that_is_off_none(lead, project, base):
    add_pair(project, 0.4, query="prove that as well, at length")
    both = dry(lead, base, LONG, PROOF)
    assert [(c.name, c.n) for c in both.caught] == [("long_input", 1), ("proof", 0)]
    off = dry(lead, base, (*LONG, "off"), PROOF)
    assert [(c.name, c.n) for c in off.caught] == [("proof", 1)]
    assert off.changes[0].new_rule == "proof"


def test_the_same_rules_change_nothing(lead, project, base):
    add_pair(project, 0.4, query="hello")
    answer = lead.post(HERE, form(base, GREETING))
    assert "None would change, of 1 recorded requests" in answer.content.decode()


def test_a_score_of_the_ledger_is_used_where_the_version_decided(lead, project, starter):
    """Its head says 0.5 of everything; the ledger says what it said then."""
    add_pair(project, 0.9, query="prove it")
    add_pair(project, 0.2, query="prove more")
    (change,) = dry(lead, starter, PROOF, at="0.6").changes
    assert (change.excerpt, change.was) == ("prove more", Tier.CHEAP)


def test_at_the_live_threshold_of_0_nothing_changes(lead, project, base):
    add_pair(project, 0.4, query="prove it")
    answer = lead.post(HERE, form(base, PROOF, at=""))
    assert answer.context["found"].n_changed == 0
    assert "At threshold 0 nothing goes" in answer.content.decode()


def test_a_task_type_goes_by_its_own_live_threshold(unsigned, lead, project, base):
    target = policy.with_threshold(policy.live(project), 0.0, "x", {"code": 0.5})
    policy.deploy(target, by=None, reason="test")
    for task in ("math", "code"):
        add_pair(project, 0.4, query="prove it", task=task)
    found = dry(lead, base, PROOF, at="")
    assert [c.task for c in found.changes] == ["code"]


def test_a_router_that_asks_cannot_be_told(lead, project):
    made = RouterVersion.objects.create(
        name="careful", kind="cascade", embedder="", project=project, sha256="0" * 64,
        artifact=routers.kinds()["cascade"].make({}),
    )  # fmt: skip
    add_pair(project, 0.4, query="prove it")
    found = dry(lead, made, PROOF)
    assert (found.n_changed, found.n_unknown) == (0, 1)
    assert "cheap answer" in found.why_unknown


def said(study, pair, rater, preference):
    Verdict.objects.create(
        study=study, pair=pair, rater=rater, preference=preference,
        cheap_adequate=preference == "tie", expensive_adequate=True,
    )  # fmt: skip


def test_labels_that_say_the_opposite_are_counted_but_not_of_what_calibrates(
    as_role, project, base
):
    client = as_role("engineering")
    pairs = [add_pair(project, 0.4, query="prove it") for _ in range(4)]
    study, ann = training_draws.start(project), training_draws.person()
    for pair, preference in zip(pairs, ("expensive", "tie", "tie"), strict=False):
        said(study, pair, ann, preference)
    (proof,) = dry(client, base, PROOF).caught
    assert (proof.n, proof.labelled, proof.against) == (4, 3, 2)
    sampling.start(policy.live(project), name="more", seed="9", rate=1.0)
    (proof,) = dry(client, base, PROOF).caught
    assert (proof.n, proof.labelled) == (4, 0)


def test_labels_of_pairs_that_one_may_still_be_asked_about_are_not_counted(lead, project, base):
    pair = add_pair(project, 0.4, query="prove it")
    said(training_draws.start(project), pair, training_draws.person(), "tie")
    (proof,) = dry(lead, base, PROOF).caught
    assert (proof.n, proof.labelled) == (1, 0)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("No Name", "greeting", "0", ""), "Rule 2 needs a name"),
        (("odd", "greeting", "0", "12"), "the kind greeting has no pattern"),
        (("odd", "longer_than", "1", "many"), "the limit is a whole number"),
        (("odd", "longer_than", "1", ""), "the limit is a whole number"),
        (("odd", "matches", "1", "(a"), "the pattern cannot be used"),
        (("odd", "matches", "1", ""), "the pattern is missing"),
        (("odd", "matches", "2", "a"), "the value is 0"),
        (("odd", "clever", "1", ""), "the kind is one of"),
        (("greeting", "no_text", "1", ""), "there are two of this name"),
    ],
)
def test_what_is_wrong_is_said_by_its_row(lead, base, row, said):
    for action in ("dry", "save"):
        answer = lead.post(HERE, form(base, GREETING, row, action=action))
        rows = [row for _, row in answer.context["rows"]]
        assert any(said in one for one in rows[1].problems)
        assert rows[1].setting == row[3]
        assert not rows[0].problems or row[0] == "greeting"
        assert 'id="rule-1-problem-1"' in answer.content.decode()
    assert "found" not in answer.context
    assert RouterVersion.objects.count() == 2


def test_a_threshold_that_is_none_is_said(lead, base):
    answer = lead.post(HERE, form(base, GREETING, at="high"))
    assert answer.context["problems"] == [
        "The threshold must be a number from 0 to 2; empty takes the live ones."
    ]


@pytest.mark.parametrize(
    ("action", "names"),
    [
        ("add", ["greeting", "long_input", "proof", ""]),
        ("remove-1", ["greeting", "proof"]),
        ("up-1", ["long_input", "greeting", "proof"]),
        ("down-0", ["long_input", "greeting", "proof"]),
        ("up-0", ["greeting", "long_input", "proof"]),
        ("down-2", ["greeting", "long_input", "proof"]),
        ("remove-9", ["greeting", "long_input", "proof"]),
    ],
)
def test_rows_come_go_and_move_without_a_script(lead, base, action, names):
    answer = lead.post(HERE, form(base, GREETING, LONG, PROOF, action=action))
    assert [row.name for _, row in answer.context["rows"]] == names
    assert RouterVersion.objects.count() == 2


def test_saving_writes_a_new_version_and_deploys_nothing(lead, project):
    until = timezone.now()
    base = ruled(
        project, rules.Rule("greeting", "greeting", 0.0), value=0.4, trained_until=until,
        card={"n": 300, "auroc": {"value": 0.7, "low": 0.6, "high": 0.8}},
    )  # fmt: skip
    counted = Deployment.objects.count(), Policy.objects.count()
    answer = lead.post(HERE, form(base, PROOF, (*LONG, "off"), action="save", name="strict"))
    made = RouterVersion.objects.get(name="strict")
    assert answer.url == f"/routers/{made.pk}/"
    assert (made.kind, made.project) == ("rules", project)
    assert made.trained_until > until  # whoever edits rules has seen what they do to requests
    assert made.card["made"] == "rules edited from ruled by lead"
    assert "auroc" not in made.card
    router = routers.load(made.kind, bytes(made.artifact), made.embedder)
    assert [(r.name, r.is_on) for r in router.rules.rules] == [
        ("proof", True), ("long_input", False),
    ]  # fmt: skip
    assert router.score("prove it").rule == "proof"
    assert router.score("hello").value == 0.4
    assert (Deployment.objects.count(), Policy.objects.count()) == counted
    page = lead.get(answer.url).content.decode()
    assert "rules edited from ruled by lead" in page
    assert "decides nothing" in page


@pytest.mark.parametrize(
    ("rows", "name", "said"),
    [((GREETING,), "x", "as they stand"), ((PROOF,), "test-1", "is taken")],
)
def test_what_cannot_be_saved_is_said_and_kept(lead, base, rows, name, said):
    answer = lead.post(HERE, form(base, *rows, action="save", name=name))
    assert said in answer.context["problems"][0]
    assert [row.name for _, row in answer.context["rows"]] == [row[0] for row in rows]
    assert RouterVersion.objects.count() == 2


def test_a_dry_run_takes_as_many_queries_for_any_number(
    lead, project, base, django_assert_max_num_queries
):
    for n in range(12):
        add_pair(project, 0.4, query=f"prove {n}")
    dry(lead, base, PROOF)
    with django_assert_max_num_queries(42):
        dry(lead, base, PROOF)


def test_what_stands_beneath_is_weighed_as_when_serving(lead, project, base):
    sure, _ = (add_pair(project, 0.4, query="hello") for _ in range(2))
    libraries.looked_up(sure.request_id, 0.0)
    # Without its rule the greeting has .4, and .5 where nothing useful was found.
    found = dry(lead, base, PROOF, at="0.5")
    assert [c.request_id for c in found.changes] == [sure.request_id]
