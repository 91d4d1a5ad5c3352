"""A decision pack is the same each time, checks offline, and names what was changed in it."""

import hashlib
import io
import json
import os
import subprocess
import sys
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from reviews import audit, chain, columnar, evidence, pack, signoff
from reviews.errors import Conflict
from reviews.inputs import Columns
from reviews.models import Evidence, SignOff
from reviews.pack import names
from tests.reviews import certified
from tests.reviews.race import after
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(project):
    add_pair(project, 0.3, query="a secret prompt", cheap="a secret answer")
    return certified.signed(certified.closed(project))


@pytest.fixture
def packed(row, tmp_path):
    return write(row, tmp_path / "pack.zip")


_written = []


@pytest.fixture
def apart(request, tmp_path):
    """A pack far from any database; it is written once for all tests of this file."""
    if not _written:
        _written.append(request.getfixturevalue("packed").read_bytes())
    path = tmp_path / "apart.zip"
    path.write_bytes(_written[0])
    return path


def write(row, path):
    with path.open("wb") as file:
        pack.write(row, file)
    return path


def files_of(path):
    with ZipFile(path) as found:
        return {name: found.read(name) for name in found.namelist()}


def rewrite(path, files, *, listed=True):
    """Write a pack of changed files, as somebody does who adjusts the manifest too, or not."""
    if listed:
        manifest = json.loads(files[names.MANIFEST])
        rest = {name: content for name, content in files.items() if name != names.MANIFEST}
        manifest["files"] = {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in rest.items()
        }
        files = rest | {names.MANIFEST: json.dumps(manifest).encode()}
    with ZipFile(path, "w", ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)


def verify(*args, **env):
    """Run the command as a process of its own, by default without any database."""
    usual = {
        "DATABASE_URL": "postgresql://none@127.0.0.1:9/none",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "PATH": os.defpath,
    }
    run = [sys.executable, str(settings.BASE_DIR / "manage.py"), "verify_signoff", *map(str, args)]
    return subprocess.run(run, capture_output=True, text=True, env=usual | env, check=False)


def test_a_pack_as_written_has_no_fault_and_is_the_same_each_time(row, packed, tmp_path):
    assert pack.check(packed) == []
    again = write(row, tmp_path / "again.zip")
    assert again.read_bytes() == packed.read_bytes()


def test_a_person_who_was_renamed_has_the_name_they_signed_with(row, packed, tmp_path):
    User.objects.filter(username="erik").update(username="erika")
    User.objects.filter(username="paula").update(username="pauline")
    again = write(SignOff.objects.get(), tmp_path / "again.zip")
    assert pack.check(again) == []
    assert files_of(again)[names.SIGNOFF] == files_of(packed)[names.SIGNOFF]
    assert audit.verify(row.project) == []


def test_a_sign_off_that_was_read_before_somebody_decided_is_packed_as_it_is(project, tmp_path):
    row = certified.asked(certified.closed(project))
    read = SignOff.objects.get(pk=row.pk)
    erik = certified.person("erik", "engineering")
    signoff.decide(row, user=erik, decision="reject", comment="No.")
    path = write(read, tmp_path / "pack.zip")
    assert pack.check(path) == []
    assert json.loads(files_of(path)[names.SIGNOFF])["state"] == "rejected"


@pytest.mark.django_db(transaction=True)
def test_a_pack_waits_for_a_decision_that_is_being_written(project, tmp_path):
    row = certified.asked(certified.closed(project))
    erik = certified.person("erik", "engineering")
    path = tmp_path / "pack.zip"
    after(lambda: signoff.decide(row, user=erik, decision="approve"), lambda: write(row, path))
    assert pack.check(path) == []
    assert len(json.loads(files_of(path)[names.SIGNOFF])["decisions"]) == 1


def test_later_events_of_the_project_change_no_pack(row, packed, tmp_path):
    audit.write(row.project, None, "noted", "something else")
    assert write(row, tmp_path / "later.zip").read_bytes() == packed.read_bytes()


def test_no_prompt_and_no_answer_is_in_a_pack(apart):
    whole = b"".join(content for name, content in files_of(apart).items() if name != names.PDF)
    assert b"secret" not in whole


def test_the_readme_names_every_file_and_every_column(apart):
    files = files_of(apart)
    text = files[names.README].decode()
    assert not [name for name in {*files, *Columns._fields} if name not in text]


def test_the_evidence_in_the_pack_is_the_one_that_was_signed(row, packed):
    frozen = files_of(packed)[names.EVIDENCE]
    assert hashlib.sha256(frozen).hexdigest() == row.evidence.sha256
    signed = json.loads(files_of(packed)[names.SIGNOFF])
    assert {one["role"] for one in signed["decisions"]} == {"engineering", "product"}


def test_the_script_inside_makes_the_certificate_again(apart, tmp_path):
    with ZipFile(apart) as found:
        found.extractall(tmp_path / "out")
    run = [sys.executable, str(tmp_path / "out" / names.SCRIPT)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, "the same as in" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    "name", [names.CSV, names.PARQUET, names.EVIDENCE, names.AUDIT, names.PDF, names.SCRIPT]
)
def test_a_changed_file_is_named(apart, name):
    files = files_of(apart)
    files[name] += b" "
    rewrite(apart, files, listed=False)
    assert pack.check(apart) == [f"{name} was changed: manifest.json has another SHA-256"]


def test_a_file_that_is_gone_or_new_is_named(apart):
    files = files_of(apart)
    del files[names.AUDIT]
    rewrite(apart, files | {"more.txt": b""}, listed=False)
    assert pack.check(apart) == [
        "audit.jsonl is missing", "more.txt is not listed in manifest.json",
    ]  # fmt: skip


def harmless(content):
    """Return the columns as somebody would like them: without any harm."""
    columns = columnar.read_parquet(content)
    columns["harm"] = columns["harm"] * 0
    return columns


def test_better_columns_are_found_whatever_else_is_adjusted(apart):
    files = files_of(apart)
    columns = harmless(files[names.PARQUET])
    content = json.loads(files[names.EVIDENCE])
    files[names.PARQUET] = columnar.parquet(columns)
    files[names.CSV] = columnar.csv_file(columns)
    content["inputs"]["sha256"] = hashlib.sha256(files[names.PARQUET]).hexdigest()
    files[names.EVIDENCE] = chain.canonical(content)
    manifest = json.loads(files[names.MANIFEST])
    manifest["evidence_sha256"] = chain.sha256(content)
    rewrite(apart, files | {names.MANIFEST: json.dumps(manifest).encode()})
    found = "\n".join(pack.check(apart))
    assert "no row about signoff" in found
    assert "does not follow from data.parquet" in found
    assert "recompute.py comes to something else" in found


@pytest.mark.parametrize("name", [names.CSV, names.PLAN, names.RESULT])
def test_a_file_that_says_something_else_than_the_evidence_is_named(apart, name):
    files = files_of(apart)
    files[name] = files[name].replace(b"0.3", b"0.4")
    rewrite(apart, files)
    assert any(fault.startswith(f"{name} was changed") for fault in pack.check(apart))


def swapped(files, name, old, new):
    assert old in files[name]
    return files | {name: files[name].replace(old, new)}


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        (names.SIGNOFF, b'"threshold": 0.4', b'"threshold": 0.6', "asks for other thresholds"),
        (names.SIGNOFF, b'"petra"', b'"eve"', "names other decisions than the trail"),
        (names.SIGNOFF, b'"approve"', b'"reject"', "names other decisions than the trail"),
        (names.SIGNOFF, b'"paula"', b'"eve"', "names another requester than the trail"),
        (names.SIGNOFF, b"{\n", b'{"state": "approved",\n', "is not spelled as it was written"),
        (names.SIGNOFF, b'"state": "approved"', b'"state": "rejected"', "another state"),
        (names.SIGNOFF, b'"reason": "It', b'"reason": "Nothing', "asks for something else"),
        (names.SIGNOFF, b'"rollout": []', b'"rollout": [1]', "asks for something else"),
        (
            names.SIGNOFF,
            b'"revision": 1,\n  "rollout"',
            b'"revision": 7,\n  "rollout"',
            "another revision",
        ),
        (names.SIGNOFF, b'    "product"\n', b'    "admin"\n', "needs other roles"),
        (names.SIGNOFF, b'"policy-1"', b'"policy-9"', "comes after another policy"),
        (names.SIGNOFF, b'"policy-2"', b'"policy-9"', "leads to another policy"),
        (names.SIGNOFF, b'"Fine."', b'"Great."', "names other decisions than the trail"),
        (names.SIGNOFF, b'"at": "20', b'"at": "19', "names other decisions than the trail"),
        (names.SIGNOFF, b'  "state"', b'  "seal": "gold",\n  "state"', "says more than"),
        (names.SIGNOFF, b'"project": "', b'"project": "not-', "is of another project"),
        (names.SCRIPT, b"return 1 if found else 0", b"return 0", "not what this version writes"),
        (names.README, b"no database", b"a database", "not what this version writes"),
        (
            names.EVIDENCE,
            b'{"certificate":',
            b'{"certificate":{},"certificate":',
            "not the evidence that manifest.json names",
        ),
        (names.PLAN, b"{\n", b'{"floor": 0.9,\n', "not the plan of the evidence"),
        (names.AUDIT, b'{"actor"', b'{"actor":"eve","actor"', "not spelled as it was written"),
    ],
)
def test_what_the_evidence_and_the_trail_do_not_say_is_named(apart, name, old, new, fault):
    """Whoever changes a file and the manifest with it is found by what the others say."""
    rewrite(apart, swapped(files_of(apart), name, old, new))
    assert any(name in one and fault in one for one in pack.check(apart))


def test_a_claim_to_be_certified_follows_from_the_certificate(apart):
    content = json.loads(files_of(apart)[names.EVIDENCE])
    frozen = files_of(apart)[names.PARQUET]
    claimed = content | {"threshold": 1.0}
    assert evidence.remade(frozen, content) == chain.canonical(content)
    assert json.loads(evidence.remade(frozen, claimed))["is_certified"] is False


def test_a_row_removed_or_swapped_is_named(apart):
    files = files_of(apart)
    lines = files[names.AUDIT].splitlines(keepends=True)
    for changed in (lines[1:], lines[:-1], [lines[1], lines[0], *lines[2:]]):
        rewrite(apart, files | {names.AUDIT: b"".join(changed)})
        assert any(one.startswith("audit.jsonl: ") for one in pack.check(apart))


def test_a_file_that_no_pack_has_is_named_though_it_is_listed(apart):
    rewrite(apart, files_of(apart) | {"../more.txt": b"more"})
    assert pack.check(apart) == ["../more.txt is no file of a decision pack"]


def test_two_files_of_one_name_are_no_pack(apart):
    with ZipFile(apart, "a") as more, pytest.warns(UserWarning, match="Duplicate name"):
        more.writestr(names.CSV, b"another")
    assert pack.check(apart) == ["this is no decision pack: two of its files have one name"]


def test_more_than_memory_holds_is_not_read(tmp_path):
    path = tmp_path / "bomb.zip"
    with ZipFile(path, "w") as made:
        made.writestr(names.CSV, b"small")
        made.filelist[0].file_size = 3_000_000_000
    (fault,) = pack.check(path)
    assert "larger than 2,000,000,000 bytes" in fault


@pytest.mark.parametrize("kind", [ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
def test_what_cannot_be_unpacked_is_a_fault_and_no_crash(tmp_path, kind):
    path = tmp_path / "broken.zip"
    with ZipFile(path, "w", kind) as made:
        made.writestr(names.MANIFEST, b"{}" * 5000)
    content = bytearray(path.read_bytes())
    begin = content.find(names.MANIFEST.encode()) + len(names.MANIFEST)
    content[begin + 9 : begin + 30] = b"\xff" * 21  # behind what tells how it was packed
    path.write_bytes(content)
    (fault,) = pack.check(path)
    assert fault.startswith("this is no decision pack")


@pytest.mark.parametrize("content", [b"[]", b'{"files": []}', b'{"files": {"data.csv": 1}}'])
def test_a_manifest_of_another_shape_is_a_fault_and_no_crash(apart, content):
    rewrite(apart, files_of(apart) | {names.MANIFEST: content}, listed=False)
    assert pack.check(apart)


def test_a_row_of_the_trail_that_was_changed_is_named(apart):
    files = files_of(apart)
    files[names.AUDIT] = files[names.AUDIT].replace(b'"actor":"erik"', b'"actor":"eve"', 1)
    rewrite(apart, files)
    assert any(
        fault.startswith("audit.jsonl: row ") and "was changed" in fault
        for fault in pack.check(apart)
    )


@pytest.mark.parametrize("content", [b"", b"PK no zip", b"{}"])
def test_what_is_no_pack_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    (fault,) = pack.check(path)
    assert fault.startswith("this is no decision pack")


def test_the_command_needs_no_database(apart):
    done = verify(apart)
    assert (done.returncode, done.stdout) == (0, "OK  all of it fits together\n"), done.stderr


def test_the_command_ends_with_an_error_that_names_the_file(apart):
    files = files_of(apart)
    files[names.CSV] += b" "
    rewrite(apart, files, listed=False)
    done = verify(apart)
    assert done.returncode == 1
    assert done.stdout.startswith("FAULT  data.csv was changed")


def verified(*args, **options):
    said = io.StringIO()
    try:
        call_command("verify_signoff", *map(str, args), stdout=said, **options)
    except CommandError as exc:
        return exc.returncode, said.getvalue()
    return 0, said.getvalue()


def test_a_project_that_is_not_there_is_answered_with_those_that_are(row, packed):
    with pytest.raises(CommandError, match=f"no project nowhere. There are: .*{row.project.slug}"):
        call_command("verify_signoff", str(packed), project="nowhere")


def test_the_live_trail_is_checked_against_the_pack(row, packed):
    assert verified(packed, project=row.project.slug)[0] == 0
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE reviews_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE reviews_auditentry SET sha256 = 'x' WHERE number = 1")
        cursor.execute("ALTER TABLE reviews_auditentry ENABLE TRIGGER USER")
    code, said = verified(packed, project=row.project.slug)
    assert code == 1
    assert "row 1 was changed" in said
    assert "row 1 of the live trail is not the one in the pack" in said


def reseal(files, change):
    """Change what the entries say and chain them anew."""
    previous, rows = chain.START, [json.loads(line) for line in files[names.AUDIT].splitlines()]
    for entry in rows:
        change(entry["detail"])
        entry["previous_sha256"] = previous
        entry["sha256"] = previous = chain.seal(entry)
    manifest = json.loads(files[names.MANIFEST])
    manifest["audit"]["sha256"] = previous
    lines = b"".join(chain.canonical(entry) + b"\n" for entry in rows)
    return files | {names.AUDIT: lines, names.MANIFEST: json.dumps(manifest).encode()}


def without_hashes(detail):
    for key in ("said", "roles", "policy_before"):
        detail.pop(key, None)


def test_a_pack_of_an_earlier_version_has_no_fault_and_it_is_said_what_nobody_checked(apart):
    files = reseal(files_of(apart), without_hashes)
    said = json.loads(files[names.SIGNOFF])
    for key in ("rollout", "deploy_at", "if_guard_fails", "requester_id"):
        del said[key]
    for one in said["decisions"]:
        del one["user_id"]
    rewrite(apart, files | {names.SIGNOFF: chain.readable(said)})
    code, words = verified(apart)
    assert code == 0, words
    assert "NOTE  signoff.json: reason, required roles, comments and times are not checked" in words
    said["state"] = "rejected"
    rewrite(apart, files | {names.SIGNOFF: chain.readable(said)})
    assert pack.check(apart) == ["signoff.json was changed: it is in another state than the trail"]


def test_what_the_trail_of_a_pack_does_not_hold_is_compared_with_the_live_sign_off(row, packed):
    files = reseal(files_of(packed), without_hashes)
    said = json.loads(files[names.SIGNOFF])
    said["reason"] = said["decisions"][0]["comment"] = "The board agreed."
    rewrite(packed, files | {names.SIGNOFF: chain.readable(said)})
    words = verified(packed, project=row.project.slug)[1]
    assert "signoff.json and the live sign-off differ in reason" in words
    assert "signoff.json and the live sign-off differ in decisions" in words


def test_a_pack_of_an_earlier_moment_fits_the_live_project(project, tmp_path):
    row = certified.asked(certified.closed(project))
    path = write(row, tmp_path / "early.zip")
    signoff.edit(row, user=row.requester, threshold=0.3, reason="Less.")
    assert verified(path, project=project.slug) == (0, "OK  all of it fits together\n")


def test_the_command_asks_for_something_to_check(project):
    assert verified()[0] == 1
    assert verified(project="nothing")[0] == 2


def test_evidence_of_an_earlier_version_has_no_pack(row):
    old = SignOff.objects.create(
        project=row.project, study=row.study, threshold=0.6, reason="old", requester=row.requester,
        required_roles=row.required_roles, policy_before=row.policy_before,
        evidence=Evidence.objects.create(study=row.study, content={}, sha256="0" * 64),
    )  # fmt: skip
    with pytest.raises(Conflict, match="earlier version"):
        pack.write(old, io.BytesIO())
