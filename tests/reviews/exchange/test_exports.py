"""An export tells everything that was rated, to whom it may be told."""

import csv
import io
import json
from pathlib import Path
from urllib.request import Request, urlopen

import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.utils import timezone

from reviews import permissions, rating, revealing
from reviews.errors import Conflict
from reviews.exchange import blindness, exports
from reviews.exchange.columns import COLUMNS, columns, markdown
from reviews.exchange.exports import Export
from reviews.models import Adjudication, Gold, Rater, Rating, Slot, Study, Verdict
from tests.reviews.rated import lead, rater, say
from tests.reviews.rows import add_repeat, add_retrieval

pytestmark = pytest.mark.django_db


def rows_of(study, **options):
    export = Export(study, options.pop("hidden", blindness.hidden_from_nobody()), **options)
    return [row for chunk in export.chunks() for row in chunk]


def body(answer):
    return b"".join(answer.streaming_content) if not answer.is_async else answer.getvalue()


def lines(answer):
    return [json.loads(line) for line in b"".join(answer).splitlines()]


def test_the_documentation_is_the_code():
    text = (Path(settings.BASE_DIR) / "docs" / "exports.md").read_text()
    assert markdown() in text


def test_every_record_has_its_row_and_every_row_known_columns(rated):
    add_retrieval(rated.sample.order_by("pair_id")[0].pair)
    rows = rows_of(rated, texts=True)
    kinds = [row["record"] for row in rows]
    assert kinds == ["rating", "rating", "verdict", "verdict", "verdict", "skip"]
    names = {column.name for column in columns(texts=True)}
    assert all(set(row) <= names for row in rows)
    assert set.union(*map(set, rows)) == names


def test_a_rating_by_side_and_by_tier(rated):
    first, second = rows_of(rated)[:2]
    better = {"cheap": "cheap", "expensive": "expensive"}[first["left"]]
    assert (first["choice"], first["preference"]) == ("a_much", better)
    assert first[f"{first['left']}_adequate"] is True
    assert second["preference"] != first["preference"]
    assert (first["is_newest"], second["is_newest"]) == (False, True)
    assert (first["supersedes"], second["supersedes"]) == (None, first["id"])
    assert (first["reasons"], first["comment"], second["seconds"]) == (["clear"], "=SUM(A1)", 2.5)
    assert (first["guideline_version"], first["origin_guess"]) == (1, "left")
    assert first["kind"] == "sample"


def test_a_row_carries_the_draw_of_its_pair(rated):
    for row in rows_of(rated):
        draw = rated.sample.get(pair=row["pair_id"])
        assert row["u"] == draw.u
        assert row["inclusion_probability"] == draw.inclusion_probability == 1.0
        assert (row["stratum"], row["purpose"], row["selected"]) == (
            draw.stratum, "calibrate", True,
        )  # fmt: skip
        assert row["request_id"] == str(draw.pair.request_id)
        assert (row["score"], row["shadow_rate"]) == (draw.pair.score, draw.pair.rate)


def test_verdicts_say_which_is_the_newest_of_their_rater(rated):
    tie, cheap, judge = rows_of(rated)[2:5]
    assert [tie["is_newest"], cheap["is_newest"], judge["is_newest"]] == [False, True, True]
    assert cheap["supersedes"] == tie["id"]
    assert judge["supersedes"] is None


def test_a_skip_says_why(rated):
    skip = rows_of(rated)[-1]
    assert (skip["skip_reason"], skip["comment"], skip.get("choice")) == ("broken", "-", None)


def test_people_have_pseudonyms_that_stay_and_judges_their_names(rated):
    rows = rows_of(rated)
    assert {row["rater"] for row in rows if row["rater_kind"] == "llm_judge"} == {"judge-1"}
    people = {row["rater"] for row in rows if row["rater_kind"] == "human"}
    assert len(people) == 2
    assert not people & {"ann", "bob"}
    assert [row["rater"] for row in rows_of(rated)] == [row["rater"] for row in rows]
    named = {row["rater"] for row in rows_of(rated, names=True)}
    assert named == {"ann", "bob", "judge-1"}


def test_texts_come_when_asked_for(rated):
    row = rows_of(rated, texts=True)[0]
    pair = rated.sample.get(pair=row["pair_id"]).pair
    assert row["query"] == pair.request.query
    assert (row["cheap_answer"], row["expensive_answer"]) == (pair.cheap.text, pair.expensive.text)


def test_rows_are_read_in_chunks_by_as_many_queries(rated, django_assert_max_num_queries):
    ann = Rater.objects.get(name="ann")
    pair = rated.sample.first().pair
    said = [Verdict(study=rated, pair=pair, rater=ann, preference="tie") for _ in range(5_001)]
    Verdict.objects.bulk_create(said)
    sizes = []
    with django_assert_max_num_queries(30):
        for chunk in Export(rated, blindness.hidden_from_nobody()).chunks():
            sizes.append(len(chunk))
    assert max(sizes) == exports.CHUNK
    assert sum(sizes) == 5_007


def test_what_is_written_meanwhile_does_not_lengthen_the_file(rated):
    chunks = Export(rated, blindness.hidden_from_nobody()).chunks()
    n = len(next(chunks))
    bob, pair = Rater.objects.get(name="bob"), rated.sample.first().pair
    found = next(chunks)
    Verdict.objects.create(study=rated, pair=pair, rater=bob, preference="tie")
    assert (n, len(found)) == (2, 3)
    assert [row["record"] for chunk in chunks for row in chunk] == ["skip"]


# --- who may read what ----------------------------------------------------------------------


def test_whoever_may_be_asked_gets_no_pair_that_waits(rated, as_role):
    client = as_role("lead")
    answer = client.get(f"/studies/{rated.pk}/export.jsonl")
    found = lines(answer)
    waiting = set(rated.slots.exclude(state=Slot.State.DONE).values_list("pair_id", flat=True))
    assert found
    assert not {row["pair_id"] for row in found} & waiting
    assert len(found) + int(answer["x-shadoweval-left-out"]) == 6
    said = client.get(f"/studies/{rated.pk}/export/size/").content.decode()
    assert said.startswith(f"{len(found)} are there for you.")
    assert f"{answer['x-shadoweval-left-out']} more are left out" in said
    assert f"/studies/{rated.pk}/export/size/" in client.get("/threshold/").content.decode()


def test_whoever_never_rates_gets_all(rated, as_role):
    answer = as_role("product").get(f"/studies/{rated.pk}/export.jsonl?texts=1")
    assert len(lines(answer)) == 6
    assert answer["x-shadoweval-left-out"] == "0"


def test_a_rater_gets_texts_of_pairs_they_rated_or_saw_alone(rated):
    permissions.ensure_roles()
    lead = User.objects.create_user("lead")
    permissions.give(lead, "lead")
    who = rating.rater_of(lead)
    shown = rating.hand_out(rated, who)
    say(shown, who)
    seen = rated.sample.exclude(pair=shown.slot.pair).first().pair
    revealing.reveal(seen, who)
    hidden = set(blindness.hidden_from(lead, texts=True).values_list("pk", flat=True))
    every = set(rated.sample.values_list("pair_id", flat=True))
    assert every - hidden == {shown.slot.pair_id, seen.pk}


def test_gold_stays_hidden_from_those_it_may_check(rated):
    done = rated.slots.get(state=Slot.State.DONE).pair
    assert done not in blindness.hidden_from_anybody()
    Gold.objects.create(study=rated, pair=done, use="hidden", preference="tie")
    assert done in blindness.hidden_from_anybody()


def test_a_closed_study_waits_for_nobody(rated):
    Study.objects.filter(pk=rated.pk).update(state=Study.State.CLOSED, closed_at=timezone.now())
    assert not blindness.hidden_from_anybody().exists()


def test_a_key_may_be_anybodys(rated, client, api_key):
    Study.objects.filter(pk=rated.pk).update(state=Study.State.RUNNING)
    answer = client.get(
        f"/api/v1/studies/{rated.pk}/export?format=jsonl", headers={"x-api-key": api_key}
    )
    found = lines(answer)
    assert answer.status_code == 200
    assert {row["record"] for row in found} == {"rating"}
    assert answer["x-shadoweval-left-out"] == "4"
    assert found[0]["rater"].startswith("rater-")


@pytest.mark.parametrize(("number", "status"), [("999999", 404), ("0", 400), ("9" * 30, 400)])
def test_a_key_finds_no_other_study(client, api_key, number, status):
    answer = client.get(f"/api/v1/studies/{number}/export", headers={"x-api-key": api_key})
    assert answer.status_code == status
    assert answer["content-type"].startswith("application/problem+json")


def test_a_key_finds_no_study_of_another_project(rated, client, starter):
    from routing import access, bootstrap

    other = bootstrap.ensure_project("other", "Other", starter)
    key = access.create_key(other, "other")[0]
    answer = client.get(f"/api/v1/studies/{rated.pk}/export", headers={"x-api-key": key})
    assert answer.status_code == 404


def test_only_leads_see_names_unasked(rated, as_role):
    client = as_role("product")
    named = lines(client.get(f"/studies/{rated.pk}/export.jsonl?names=1"))
    unnamed = lines(client.get(f"/studies/{rated.pk}/export.jsonl"))
    assert "ann" in {row["rater"] for row in named}
    assert "ann" not in {row["rater"] for row in unnamed}
    by_lead = lines(as_role("lead").get(f"/studies/{rated.pk}/export.jsonl"))
    assert "ann" in {row["rater"] for row in by_lead}


def test_an_unknown_format_is_not_found(rated, as_role):
    assert as_role("product").get(f"/studies/{rated.pk}/export.exe").status_code == 404


def test_the_three_files_say_the_same(rated, as_role):
    client = as_role("product")
    get = lambda fmt: b"".join(client.get(f"/studies/{rated.pk}/export.{fmt}"))  # noqa: E731
    table = pq.read_table(io.BytesIO(get("parquet"))).to_pylist()
    text = list(csv.DictReader(io.StringIO(get("csv").decode(), newline="")))
    objects = [json.loads(line) for line in get("jsonl").splitlines()]
    assert list(text[0]) == list(objects[0]) == list(table[0]) == [c.name for c in COLUMNS]
    for one, two, three in zip(table, objects, text, strict=True):
        assert (one["id"], one["preference"]) == (two["id"], two["preference"])
        assert (str(one["id"]), one["preference"] or "") == (three["id"], three["preference"])
    assert {row["comment"] for row in text} >= {"'=SUM(A1)", "'-"}


@pytest.mark.django_db(transaction=True)
def test_the_service_hands_a_file_on_in_pieces(rated, service, api_key):
    ann, pair = Rater.objects.get(name="ann"), rated.slots.get(state="done").pair
    said = [Verdict(study=rated, pair=pair, rater=ann, preference="tie") for _ in range(4_100)]
    Verdict.objects.bulk_create(said)
    address = f"{service}/api/v1/studies/{rated.pk}/export?format=csv"
    with urlopen(Request(address, headers={"x-api-key": api_key})) as answer:
        content = answer.read()
    assert answer.headers["transfer-encoding"] == "chunked"
    assert content.count(b"\r\n") == 4_103


# --- pairs in dispute, and what an export costs -----------------------------------------------


def disputed(rated):
    """Let Bob and Cid differ on the pair that Ann rated, which waits for nobody else."""
    pair = rated.slots.get(state=Slot.State.DONE).pair
    for name, said in (("bob", "cheap"), ("cid", "expensive")):
        who, _ = Rater.objects.get_or_create(kind=Rater.Kind.HUMAN, name=name)
        Verdict.objects.create(study=rated, pair=pair, rater=who, preference=said)
    return pair


def hidden_from(user):
    return set(blindness.hidden_from(user, texts=False).values_list("pk", flat=True))


def test_a_pair_in_dispute_is_hidden_from_whoever_may_settle_it_and_from_keys(rated):
    permissions.ensure_roles()
    lena, may, kim = (User.objects.create_user(name) for name in ("lena", "may", "kim"))
    permissions.give(lena, "lead")
    permissions.give(may, "rater", "product")
    permissions.give(kim, "engineering")
    pair = rated.slots.get(state=Slot.State.DONE).pair
    assert pair.pk not in hidden_from(lena)
    assert disputed(rated) == pair
    assert pair.pk in hidden_from(lena)
    assert pair in blindness.hidden_from_anybody()
    assert pair.pk not in hidden_from(may) | hidden_from(kim)
    Study.objects.filter(pk=rated.pk).update(state=Study.State.CLOSED, closed_at=timezone.now())
    assert pair.pk in hidden_from(lena)


@pytest.mark.parametrize("how", ["rated", "revealed", "settled by them", "settled by another"])
def test_a_dispute_that_cannot_come_any_more_is_not_hidden(rated, how):
    who = lead("lena")
    pair = disputed(rated)
    if how == "rated":
        Verdict.objects.create(study=rated, pair=pair, rater=who, preference="tie")
    elif how == "revealed":
        revealing.reveal(pair, who)
    else:
        by = who if how == "settled by them" else lead("lars")
        Adjudication.objects.create(
            study=rated, pair=pair, rater=by, rating=Rating.objects.earliest("id"),
            preference="tie", cheap_adequate=True, expensive_adequate=True, cause="slip",
        )  # fmt: skip
    assert pair.pk not in hidden_from(who.user)


def exporting_lead(rated, as_role):
    """Return the client and rater of a lead who rated a pair, and the showing."""
    client = as_role("lead")
    who = rating.rater_of(User.objects.get(username="lead"))
    shown = rating.hand_out(rated, who)
    say(shown, who)
    return client, who, shown


def test_what_raters_export_they_can_no_longer_correct(rated, as_role):
    client, who, shown = exporting_lead(rated, as_role)
    say(shown, who, "a_much")
    assert "you can no longer correct" in client.get("/threshold/").content.decode()
    assert not who.reveals.exists()
    found = lines(client.get(f"/studies/{rated.pk}/export.jsonl"))
    assert shown.slot.pair_id in {row["pair_id"] for row in found}
    assert len({row["pair_id"] for row in found}) > 1
    assert list(who.reveals.values_list("pair_id", flat=True)) == [shown.slot.pair_id]
    with pytest.raises(Conflict, match="no longer blind"):
        say(shown, who, "b_much")
    assert lines(client.get(f"/studies/{rated.pk}/export.jsonl")) == found


def test_what_is_rated_while_a_file_is_read_is_revealed_with_it(rated):
    who = lead("lena")
    hidden = blindness.hidden_from(who.user, texts=False)
    chunks = Export(rated, hidden, reader=who).chunks()
    shown = rating.hand_out(rated, who)
    say(shown, who)
    told = {row["pair_id"] for chunk in chunks for row in chunk}
    assert shown.slot.pair_id in told
    with pytest.raises(Conflict, match="no longer blind"):
        say(shown, who, "b_much")


def test_an_export_takes_a_repeat_out_of_the_readers_hands(rated):
    who = lead("lena")
    shown = rating.hand_out(rated, who)
    say(shown, who)
    again = Slot.objects.create(
        study=rated, pair=shown.slot.pair, kind=Slot.Kind.REPEAT, ordinal=0, order=1, rater=who,
        state=Slot.State.LEASED,
    )  # fmt: skip
    revealing.reveal_rated({shown.slot.pair_id}, who)
    again.refresh_from_db()
    assert again.state == Slot.State.GIVEN_UP
    assert rating.hand_out(rated, who).slot.pair_id != shown.slot.pair_id


def test_whoever_never_rates_reveals_nothing(rated, as_role):
    client, who, _ = exporting_lead(rated, as_role)
    who.user.groups.set(Group.objects.filter(name="product"))
    assert lines(client.get(f"/studies/{rated.pk}/export.jsonl"))
    assert not who.reveals.exists()


# --- the command ------------------------------------------------------------------------------


def test_the_command_writes_everything(rated, tmp_path):
    out, said = tmp_path / "all.csv", io.StringIO()
    call_command("export", rated.pk, out=out, names=True, stdout=said)
    rows = list(csv.DictReader(out.open(newline="", encoding="utf-8")))
    assert len(rows) == 6
    assert "6 rows are in" in said.getvalue()


def test_the_command_says_what_is_wrong(rated, tmp_path):
    with pytest.raises(CommandError, match="There is no study 0"):
        call_command("export", 0)
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export", rated.pk, out=tmp_path / "no" / "x.csv", stdout=io.StringIO())


def test_what_raters_wrote_in_checks_is_there_with_its_kind(study):
    ann = rater("ann")
    slot = Slot.objects.create(
        study=study, pair=study.sample.first().pair, kind=Slot.Kind.GOLD, ordinal=1, order=0,
        rater=ann, state=Slot.State.LEASED,
    )  # fmt: skip
    from reviews import blinding

    say(blinding.present(slot, ann), ann)
    (row,) = rows_of(study)
    assert (row["kind"], row["preference"]) == ("gold", "tie")


def test_of_one_model_asked_twice_the_second_answer_takes_the_cheap_ones_place(study):
    ann, pair = rater("ann"), study.sample.first().pair
    add_repeat(pair, "said again")
    slot = Slot.objects.create(
        study=study, pair=pair, kind=Slot.Kind.AGAIN, ordinal=0, order=0, rater=ann,
        state=Slot.State.LEASED,
    )  # fmt: skip
    from reviews import blinding

    say(blinding.present(slot, ann), ann)
    (row,) = rows_of(study, texts=True)
    assert (row["kind"], row["cheap_answer"]) == ("again", "said again")
    assert row["expensive_answer"] == pair.expensive.text
