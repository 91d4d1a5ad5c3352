"""What is appended survives the process, is given back in order, and goes when it is done."""

import os
import shutil
import subprocess
import sys
from itertools import islice

import pytest

from routing import journal
from routing.journal import Journal, orphans

RECORDS = [b"one", b"2", b"three " * 1000, b"\x00\xff"]


@pytest.fixture
def mine(tmp_path):
    made = Journal(tmp_path, most_bytes=100_000_000)
    yield made
    made.close()


def left_behind(root, records=RECORDS):
    """Leave a journal as a process does that dies: nothing closed, nothing removed."""
    script = (
        "import os, sys; from pathlib import Path; from routing.journal import Journal\n"
        "made = Journal(Path(sys.argv[1]), 10**8)\n"
        "for text in sys.argv[2:]: assert made.append(bytes.fromhex(text))\n"
        "os.kill(os.getpid(), 9)"
    )
    texts = [record.hex() for record in records]
    done = subprocess.run([sys.executable, "-c", script, str(root), *texts], check=False)
    assert done.returncode == -9


def replayed(root):
    """Take over what nobody holds, and return its records."""
    records = []
    for orphan in orphans(root):
        records += orphan.records()
        orphan.remove()
    return records


def files(root):
    return sorted(root.glob("*/*.journal"))


def test_a_killed_process_leaves_its_records_in_order_and_once(tmp_path):
    left_behind(tmp_path)
    assert replayed(tmp_path) == RECORDS
    assert replayed(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_journal_in_use_is_nobody_elses(tmp_path, mine):
    mine.append(b"mine")
    assert list(orphans(tmp_path)) == []


def test_two_who_look_at_once_share_the_orphans(tmp_path):
    left_behind(tmp_path)
    (first,) = orphans(tmp_path)
    assert list(orphans(tmp_path)) == []
    first.release()
    assert replayed(tmp_path) == RECORDS


@pytest.mark.parametrize("cut", [1, 3, 4, 8, 9])
def test_a_torn_last_record_is_left_out(tmp_path, cut):
    left_behind(tmp_path, [b"whole", b"torn"])
    (path,) = files(tmp_path)
    os.truncate(path, path.stat().st_size - cut)
    assert replayed(tmp_path) == [b"whole"]


def test_a_damaged_record_is_left_out_and_said(tmp_path, caplog):
    left_behind(tmp_path, [b"first", b"second", b"third"])
    (path,) = files(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"second", b"sEcond"))
    assert replayed(tmp_path) == [b"first", b"third"]
    assert "damaged" in caplog.text


def test_a_length_that_is_damage_ends_the_segment(tmp_path):
    left_behind(tmp_path, [b"first", b"second"])
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    at = content.index(b"second") - 8
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert replayed(tmp_path) == [b"first"]


def test_what_is_done_is_not_kept(tmp_path, mine, monkeypatch):
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 1000)
    marks = [mine.append(b"x" * 300) for _ in range(10)]
    assert len(files(tmp_path)) == 3
    mine.done(marks[:9])
    assert len(files(tmp_path)) == 1
    mine.done(marks[9:])
    assert mine.size_bytes < 100  # nothing of them is left, however few they are


def test_records_are_read_back_while_others_go(mine, monkeypatch):
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 100)
    marks = {record: mine.append(record) for record in (b"a" * 200, b"b" * 200, b"c" * 20)}
    mine.done([marks[b"a" * 200]])
    for record, mark in islice(marks.items(), 1, None):
        assert mine.read(mark) == record


def test_size_is_bounded_and_room_comes_back(tmp_path):
    small = Journal(tmp_path, most_bytes=1000)
    marks = [small.append(b"x" * 300) for _ in range(4)]
    assert [mark is not None for mark in marks] == [True, True, True, False]
    assert small.refused == 1
    small.close()
    assert replayed(tmp_path) == [b"x" * 300] * 3


def on_a_full_disk(root, script):
    """Run a script on a journal `made` whose disk takes 2,000 bytes; return what it prints."""
    full = (
        "import resource, sys; from pathlib import Path; from routing.journal import Journal\n"
        "made = Journal(Path(sys.argv[1]), 10**8)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
    )
    command = [sys.executable, "-c", full + script, str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_disk_that_is_full_refuses_and_leaves_no_half(tmp_path):
    script = "print([made.append(b'x' * 800) is not None for _ in range(4)], made.refused)"
    assert on_a_full_disk(tmp_path, script) == "[True, True, False, False] 2"
    assert replayed(tmp_path) == [b"x" * 800] * 2


def test_a_full_disk_gets_back_what_is_no_longer_needed(tmp_path):
    script = "for n in range(20): made.done([made.append(b'x' * 800)])\nprint(made.refused)"
    assert on_a_full_disk(tmp_path, script) == "0"


def test_a_folder_that_cannot_be_written_refuses(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    refusing = Journal(tmp_path / "file" / "journal", 10**8)
    assert refusing.append(b"x") is None
    refusing.close()


def test_a_folder_that_was_deleted_is_made_anew(tmp_path, mine):
    mine.append(b"gone")
    shutil.rmtree(tmp_path)
    mark = mine.append(b"kept")
    (path,) = files(tmp_path)
    assert b"kept" in path.read_bytes()
    assert mine.read(mark) == b"kept"


def test_a_folder_that_cannot_be_made_anew_costs_no_stranger_its_file(tmp_path):
    root = tmp_path / "journal"
    made = Journal(root, 10**8)
    made.append(b"gone")
    shutil.rmtree(root)
    root.write_text("a file where the folder should be")
    assert made.append(b"x") is None
    strangers = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    assert [made.append(b"x") for _ in range(3)] == [None] * 3
    for stranger in strangers:
        os.close(stranger)  # an error if somebody else did
    root.unlink()
    assert made.append(b"kept") is not None
    made.close()


def test_zeros_at_the_end_are_no_records(tmp_path):
    left_behind(tmp_path, [b"whole"])
    (path,) = files(tmp_path)
    with path.open("ab") as file:
        file.write(bytes(100))
    assert replayed(tmp_path) == [b"whole"]


def test_a_small_bound_is_a_bound_on_what_waits(tmp_path):
    small = Journal(tmp_path, most_bytes=1000)
    for _ in range(20):
        small.done([small.append(b"x" * 900)])
    assert small.refused == 0
    small.close()


def test_only_this_account_can_read_it(tmp_path, mine):
    mine.append(b"private")
    (path,) = files(tmp_path)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_closing_keeps_what_waits_and_removes_the_rest(tmp_path):
    for is_done in (True, False):
        made = Journal(tmp_path, 10**8)
        mark = made.append(b"record")
        made.sync()
        made.done([mark] if is_done else [])
        made.close()
    assert replayed(tmp_path) == [b"record"]
