"""What was said elsewhere becomes verdicts: of the right pair and side, once, or not at all."""

import json
import tracemalloc
from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.utils import timezone

from reviews import blinding, estimation, rating, sampling
from reviews.errors import BadInput
from reviews.exchange import blindtasks, imports, labels
from reviews.exchange.labels import Names
from reviews.models import Rater, Study, Verdict
from routing import policy
from routing.models import ShadowPair
from tests.reviews.rated import rater, say
from tests.reviews.rows import add_pair, add_retrieval

pytestmark = pytest.mark.django_db

#: What is said of each pair by tier: preference, cheap good enough, expensive good enough.
TRUTH = (
    ("cheap", True, False), ("expensive", False, True), ("tie", True, True),
    ("both_bad", False, False), ("expensive", True, True), ("cheap", True, True),
)  # fmt: skip


def tasks(study, tool, limit=None):
    return json.loads("".join(blindtasks.write(study, tool, limit)))


def sides(task):
    """Return the texts and the pair of a task, whichever tool it is for."""
    shown = task.get("data") or task["fields"]
    request_id = shown.get("request_id") or task["metadata"]["request_id"]
    return shown["left"], shown["right"], ShadowPair.objects.get(request_id=request_id)


def answers(task, study, truth):
    """Return what an annotator answers who means `truth` and sees two sides alone."""
    left, _, pair = sides(task)
    is_cheap_left = left == blinding.told(pair, study)["cheap"]
    preference, cheap, expensive = truth
    if preference in ("cheap", "expensive"):
        preference = "left" if (preference == "cheap") == is_cheap_left else "right"
    adequate = (cheap, expensive) if is_cheap_left else (expensive, cheap)
    left_ok, right_ok = ("yes" if ok else "no" for ok in adequate)
    return {"preference": preference, "left_adequate": left_ok, "right_adequate": right_ok}


def as_label_studio(tasks, said_by):
    """Fill in answers as Label Studio's JSON export has them."""
    for number, task in enumerate(tasks):
        task |= {"id": number, "annotations": [
            {
                "id": number, "completed_by": who, "was_cancelled": False, "ground_truth": False,
                "updated_at": "2026-01-01T00:00:00Z",
                "result": [
                    {"from_name": name, "to_name": "x", "type": "choices",
                     "value": {"choices": [value]}}
                    for name, value in said[number].items()
                ],
            }
            for who, said in said_by.items()
        ]}  # fmt: skip
    return tasks


def as_argilla(tasks, said_by):
    """Fill in answers as Argilla 2's `records.to_json` has them."""
    for number, task in enumerate(tasks):
        task["responses"] = {
            name: [
                {"value": said[number][name], "user_id": str(who)} for who, said in said_by.items()
            ]
            for name in ("preference", "left_adequate", "right_adequate")
        }
    return tasks


FILLED = {"label-studio": as_label_studio, "argilla": as_argilla}


def filled(study, tool="label-studio", people=(1, 2)):
    """Return a file in which each person says the truth, beginning at another pair."""
    made = tasks(study, tool)
    said = {
        who: [answers(task, study, TRUTH[(n + who) % 6]) for n, task in enumerate(made)]
        for who in people
    }
    return json.dumps(FILLED[tool](made, said)).encode()


def run(study, content, tool="label-studio", **how):
    return imports.run(study, content, tool, how.pop("names", Names()), **how)


@pytest.mark.parametrize("tool", ["label-studio", "argilla"])
def test_what_goes_out_blind_comes_back_by_tier(study, tool):
    order = [sides(task)[2].pk for task in tasks(study, tool)]
    outcome = run(study, filled(study, tool), tool)
    assert (len(outcome.new), outcome.unchanged, outcome.refused) == (12, 0, [])
    for who in (1, 2):
        rows = Verdict.objects.filter(study=study, rater__name=f"{tool}/{who}")
        found = {
            row.pair_id: (row.preference, row.cheap_adequate, row.expensive_adequate)
            for row in rows
        }
        assert found == {pair: TRUTH[(n + who) % 6] for n, pair in enumerate(order)}
    people = Rater.objects.filter(name__startswith=tool)
    assert {(one.kind, one.project) for one in people} == {("human", study.project)}
    assert not Verdict.objects.filter(rating__isnull=False).exists()
    assert estimation.estimate(study).n_rated == 6


def test_tasks_stand_on_both_sides_in_the_queues_order_and_come_out_the_same(study, project):
    for n in range(34):
        add_pair(project, n / 40)
    sampling.extend(study)
    made = tasks(study, "label-studio")
    assert made == tasks(study, "label-studio")
    queue = study.slots.order_by("order").values_list("pair_id", flat=True)
    assert [sides(task)[2].pk for task in made] == list(queue)
    lefts = {sides(task)[0] == sides(task)[2].cheap.text for task in made}
    assert lefts == {True, False}
    assert tasks(study, "label-studio", 2) == made[:2]


def test_a_study_without_pairs_has_no_tasks(project):
    empty = sampling.start(policy.live(project), name="Empty", seed="7", rate=1.0)
    assert tasks(empty, "argilla") == []


def test_imported_twice_adds_nothing(study):
    content = filled(study)
    assert run(study, content).written
    again = run(study, content)
    assert (again.new, again.unchanged, Verdict.objects.count()) == ([], 12, 12)
    assert Rater.objects.count() == 2


def test_another_answer_of_the_same_person_is_a_newer_verdict(study):
    content = filled(study, people=(1,))
    run(study, content)
    changed = json.loads(content)
    changed[0]["annotations"][0]["result"] = [
        {"type": "pairwise", "from_name": "pw", "value": {"selected": "left"}}
    ]
    outcome = run(study, json.dumps(changed).encode())
    assert (len(outcome.new), outcome.unchanged) == (1, 5)
    pair = sides(changed[0])[2]
    assert Verdict.objects.filter(pair=pair).count() == 2


def test_of_two_answers_at_one_item_the_newest_counts(study):
    (task, *_) = json.loads(filled(study, people=(1,)))
    old = {**task["annotations"][0], "updated_at": "2025-01-01T00:00:00Z", "result": [
        {"type": "pairwise", "from_name": "pw", "value": {"selected": "left"}}]}  # fmt: skip
    task["annotations"].append(old)
    (said,) = run(study, json.dumps([task]).encode()).new
    assert said.content[:3] == TRUTH[1]


def test_a_dry_run_says_the_same_and_writes_nothing(study):
    outcome = run(study, filled(study), dry_run=True)
    assert str(outcome).startswith("12 ratings by 2 people on 6 pairs would be added; 0 are there")
    assert (outcome.n_covered, outcome.n_drawn, outcome.written) == (6, 6, False)
    assert not Verdict.objects.exists()
    assert not Rater.objects.exists()


def damaged(study, change):
    content = json.loads(filled(study, people=(1,)))
    change(content)
    return json.dumps(content).encode()


def strange_text(content):
    content[2]["data"]["left"] = "something else"


def other_id(content):
    content[2]["data"]["request_id"] = "00000000-0000-0000-0000-000000000000"


def swapped_ids(content):
    content[2]["data"]["request_id"] = content[3]["data"]["request_id"]


def contradiction(content):
    content[2]["data"] = content[1]["data"]


def two_pairs(content):
    content[2]["data"]["pair_id"] = sides(content[0])[2].pk


def silence(content):
    content[2]["annotations"][0]["result"] = []


def no_item(content):
    content[2] = 7


BAD = [
    (strange_text, "not the answers of this pair"),
    (other_id, "no pair that was drawn"),
    (swapped_ids, "not the answers of this pair"),
    (contradiction, "row 2 says something else"),
    (two_pairs, "name different pairs"),
    (silence, "preference is none of"),
    (no_item, "the task is not an object"),
]


@pytest.mark.parametrize(("change", "reason"), BAD)
def test_one_bad_row_and_nothing_is_imported_unless_asked_to(study, change, reason):
    content = damaged(study, change)
    outcome = run(study, content)
    assert [one.row for one in outcome.refused] == [3]
    assert reason in outcome.refused[0].reason
    assert not outcome.written
    assert not Verdict.objects.exists()
    outcome = run(study, content, skip_bad=True)
    assert outcome.written
    assert Verdict.objects.count() == 5
    assert run(study, content, skip_bad=True).new == []


def test_white_space_does_not_matter(study):
    def wrap(content):
        for task in content:
            task["data"]["left"] = f"\n {task['data']['left'].replace(' ', '  ')}\r\n"

    assert run(study, damaged(study, wrap)).refused == []


def test_pairs_are_found_by_their_number_too(study):
    def number(content):
        for task in content:
            task["data"] = {**task["data"], "pair_id": sides(task)[2].pk, "request_id": "mine"}

    assert run(study, damaged(study, number)).refused == []


def test_pairs_that_were_not_drawn_or_are_of_another_study_are_refused(study, project):
    late = add_pair(project, 0.5, query="late")
    data = {"request_id": str(late.request_id), "left": late.cheap.text}
    content = [{"data": {**data, "right": late.expensive.text}, "annotations": [
        {"completed_by": 1, "result": [{"type": "pairwise", "value": {"selected": "left"}}]}
    ]}]  # fmt: skip
    (refused,) = run(study, json.dumps(content).encode()).refused
    assert "no pair that was drawn" in refused.reason


@pytest.mark.parametrize(
    ("left", "right", "adequate"), [("yes", "yes", True), ("no", "no", False), ("yes", "no", None)]
)
def test_answers_that_look_the_same_tie_whichever_is_preferred(project, left, right, adequate):
    add_pair(project, 0.1, cheap="4", expensive=" 4\n")
    study = sampling.start(policy.live(project), name="Same", seed="7", rate=1.0)
    (task,) = tasks(study, "label-studio")
    said = {"preference": "left", "left_adequate": left, "right_adequate": right}
    content = json.dumps(as_label_studio([task], {1: [said]})).encode()
    (found,) = run(study, content).new
    assert found.content[:3] == ("tie", adequate, adequate)


def test_masked_answers_are_recognised_by_what_was_shown(project):
    add_pair(project, 0.1, cheap="I am Claude, made by Anthropic. 4.", expensive="It is four.")
    study = sampling.start(policy.live(project), name="Leaks", seed="7", rate=1.0)
    (task,) = tasks(study, "label-studio")
    assert "Anthropic" not in json.dumps(task)
    content = json.dumps(
        as_label_studio([task], {1: [answers(task, study, ("cheap", True, False))]})
    ).encode()
    (found,) = run(study, content).new
    assert found.content[:3] == ("cheap", True, False)


# --- what it does to the estimate ---------------------------------------------------------------


def test_imported_answers_all_count_until_somebody_rates_here_then_up_to_the_first_gap(study):
    made = json.loads(filled(study, people=(1,)))
    del made[2]  # the third pair of the queue is nobody's
    run(study, json.dumps(made).encode())
    assert estimation.estimate(study).n_rated == 5
    ann = rater("ann")
    say(rating.hand_out(study, ann), ann)
    after = estimation.estimate(study)
    # The frame ends where most count: before the gap's pair came, where that leaves more than two.
    queue = list(study.slots.order_by("order").values_list("pair_id", flat=True).distinct())
    came_before = sum(pair < queue[2] for pair in queue)
    assert after.n_rated + after.n_waiting == 5
    assert after.n_rated == max(2, came_before)


# --- the command and the page -------------------------------------------------------------------


def test_the_commands_make_the_round_trip(study, tmp_path):
    out, said = tmp_path / "tasks.json", StringIO()
    call_command("export_tasks", study.pk, tool="label-studio", out=out, stdout=said)
    assert json.loads(out.read_text()) == tasks(study, "label-studio")
    file = tmp_path / "export.json"
    file.write_bytes(filled(study))
    for dry in (True, False):
        call_command(
            "import_ratings", study.pk, file, tool="label-studio", dry_run=dry, stdout=said
        )
    assert "12 ratings by 2 people on 6 pairs would be added" in said.getvalue()
    assert "12 ratings by 2 people on 6 pairs were added" in said.getvalue()
    assert "6 tasks are in" in said.getvalue()


def test_the_command_refuses_with_the_rows(study, tmp_path):
    file, err = tmp_path / "export.json", StringIO()
    file.write_bytes(damaged(study, strange_text))
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command(
            "import_ratings", study.pk, file, tool="label-studio", stderr=err, stdout=StringIO()
        )
    assert "row 3: its texts are not the answers of this pair." in err.getvalue()
    with file.open("wb") as large:
        large.truncate(200_000_000)
    with pytest.raises(CommandError, match="larger than 50 MB"):
        call_command("import_ratings", study.pk, file, tool="argilla", stdout=StringIO())
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_ratings", study.pk, tmp_path / "none", tool="argilla")


def upload(client, study, content, **form):
    file = SimpleUploadedFile("export.json", content)
    return client.post(
        f"/studies/{study.pk}/import/", {"file": file, "from": "label-studio", **form}, follow=True
    )


def test_a_lead_tries_then_imports(study, as_role):
    client = as_role("lead")
    tried = upload(client, study, filled(study), action="try")
    assert "12 ratings by 2 people on 6 pairs would be added" in tried.content.decode()
    assert not Verdict.objects.exists()
    done = upload(client, study, filled(study), action="import")
    assert "were added" in done.content.decode()
    assert Verdict.objects.count() == 12


def test_the_page_shows_refused_rows_and_imports_the_others_when_asked_to(study, as_role):
    client = as_role("lead")
    content = damaged(study, strange_text)
    shown = upload(client, study, content, action="import").content.decode()
    assert "its texts are not the answers of this pair." in shown
    assert not Verdict.objects.exists()
    upload(client, study, content, action="import", skip_bad="1")
    assert Verdict.objects.count() == 5


@pytest.mark.parametrize(
    ("content", "form", "said"),
    [
        (b"[" * 100_000, {}, "nested too deep"),
        (b"\xff", {}, "not UTF-8"),
        (b"[1]", {"from": "elsewhere"}, "Files come from"),
        (b"[1]", {"adequate_from": "x"}, "is no number"),
    ],
)
def test_the_page_says_what_is_wrong_with_a_file(study, as_role, content, form, said):
    assert said in upload(as_role("lead"), study, content, **form).content.decode()


def test_a_large_or_missing_file_is_refused(study, as_role):
    client = as_role("lead")
    large = bytes(labels.MOST_BYTES + 1)
    assert "larger than 50 MB" in upload(client, study, large).content.decode()
    missing = client.post(f"/studies/{study.pk}/import/", {"from": "argilla"}, follow=True)
    assert "Choose the file" in missing.content.decode()


def test_an_unknown_tool_is_refused(study):
    with pytest.raises(BadInput, match="Files come from"):
        run(study, b"[1]", "excel")
    with pytest.raises(BadInput, match="Tasks are made for"):
        list(blindtasks.write(study, "excel"))


# --- what is not taken ------------------------------------------------------------------------


def test_a_closed_study_takes_nothing(study, as_role):
    content, client = filled(study), as_role("lead")
    Study.objects.filter(pk=study.pk).update(state=Study.State.CLOSED, closed_at=timezone.now())
    for dry in (True, False):
        with pytest.raises(BadInput, match="closed"):
            run(study, content, dry_run=dry)
    assert "This study is closed" in upload(client, study, content).content.decode()
    assert not Verdict.objects.exists()


def test_who_could_not_judge_elsewhere_gives_up_no_pair(study):
    def cannot(content):
        results = content[2]["annotations"][0]["result"]
        results[0]["value"]["choices"] = ["cannot"]

    outcome = run(study, damaged(study, cannot))
    assert (len(outcome.new), outcome.skipped, outcome.refused) == (5, 1, [])
    assert not Verdict.objects.filter(preference="cannot").exists()
    assert estimation.estimate(study).n_rated == 5


@pytest.mark.parametrize("skip_bad", [True, False])
def test_a_file_that_is_another_one_is_given_up_after_a_thousand_rows(study, skip_bad):
    content = json.loads(filled(study, people=(1,)))
    content += [{"data": {}}] * (labels.MOST_REFUSED - 1)
    assert len(run(study, json.dumps(content).encode(), dry_run=True).refused) == 999
    content += [{**content[0], "data": {**content[0]["data"], "left": "x"}}]
    with pytest.raises(BadInput, match=r"1,000 rows are refused; the first is row 7: "):
        run(study, json.dumps(content).encode(), skip_bad=skip_bad)
    assert not Verdict.objects.exists()


@pytest.mark.parametrize("between", [b",", b"\n"])
def test_a_file_of_empty_objects_is_not_held_whole(study, between):
    n = 300_000
    items = between.join([b"{}"] * n)
    content = b"[" + items + b"]" if between == b"," else items
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match="1,000 rows are refused"):
            run(study, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(content)


@pytest.mark.parametrize("tool", ["label-studio", "argilla"])
def test_what_sources_support_comes_back_by_tier_where_there_are_sources(study, tool):
    *_, with_sources, without = (sides(task)[2] for task in tasks(study, tool))
    add_retrieval(with_sources, ["it is so"])
    made = tasks(study, tool)[-2:]
    shown = [(task.get("data") or task["fields"])["sources"] for task in made]
    assert shown == ["[1] Title 1\nit is so", ""]
    said = [
        answers(task, study, TRUTH[0]) | {"left_supported": "yes", "right_supported": "no"}
        for task in made
    ]
    filled = FILLED[tool](made, {1: said})
    if tool == "argilla":
        for task, one in zip(filled, said, strict=True):
            task["responses"] |= {
                name: [{"value": one[name], "user_id": "1"}]
                for name in ("left_supported", "right_supported")
            }
    assert len(run(study, json.dumps(filled).encode(), tool).new) == 2
    is_cheap_left = sides(made[0])[0] == blinding.told(with_sources, study)["cheap"]
    found = {
        row.pair: (row.cheap_supported, row.expensive_supported) for row in Verdict.objects.all()
    }
    assert found == {
        with_sources: (True, False) if is_cheap_left else (False, True), without: (None, None)
    }  # fmt: skip
    assert run(study, json.dumps(filled).encode(), tool).unchanged == 2
