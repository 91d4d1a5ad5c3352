"""A disk that has no room for the journal."""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.chaos.stack import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("chaos")]

#: Room for a few records, or for about fifty.
_DISK_BYTES, _MEMORY_MB = 65_536, 1
_PADDING = 6000
#: Runs a program that cannot write a file beyond a size: what a full disk does, without a disk.
_LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


@contextlib.contextmanager
def _tiny_disk(folder):
    """Give a folder on a disk of its own, or None where nobody may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(folder)]
    is_mounted = (
        bool(shutil.which("mount"))
        and not subprocess.run(mount, check=False, capture_output=True).returncode
    )
    try:
        yield folder if is_mounted else None
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def web_on_a_full_disk(stack, tmp_path, round_):
    """Have web run with little room for its journal; yield a function that gives its log."""
    stack.stop("web")
    with _tiny_disk(tmp_path / "disk") as disk:
        is_limited = round_ % 2 or disk is None
        env = {
            "SHADOWEVAL_JOURNAL_DIR": str(tmp_path / "journal" if is_limited else disk),
            "SHADOWEVAL_RECORD_QUEUE_MB": str(_MEMORY_MB),
        }
        limit = [sys.executable, "-c", _LIMITED, str(_DISK_BYTES)] if is_limited else []
        name = f"full-disk-{tmp_path.name}"  # a log is a file, too, and must not reach the limit
        stack.start("web", env, limit, log=name)
        stack.wait_for_web()
        yield lambda: stack.log(name)
        assert stack.stop("web") == 0


def _lost(log):
    """Return how many replies were lost by the newest line that says so."""
    said = re.findall(r"no room for records: (\d+) replies were not recorded", log)
    return int(said[-1]) if said else 0


def test_disk_full_with_postgres_there(scenario, web_on_a_full_disk, round_):
    run = scenario()
    with run.asking(padding=_PADDING):
        time.sleep(6)
    book = run.settle()
    # What is written gives its room back, so that the small disk may even be enough.
    assert _lost(web_on_a_full_disk()) == 0
    book.check()
    assert book.ends() == {"done"}


def test_disk_full_with_postgres_away(scenario, stack, web_on_a_full_disk, round_):
    run = scenario()
    stack.kill("worker")  # the journal alone is looked at here
    with run.asking(padding=_PADDING):
        time.sleep(2)
        stack.signal_postgres(signal.SIGINT)
        eventually(lambda: _lost(web_on_a_full_disk()) > 20, 60, "neither disk nor memory has room")
        stack.postgres.start()
        time.sleep(3)
    stack.start("worker")
    book = run.settle(lost=lambda: _lost(web_on_a_full_disk()))
    lost = _lost(web_on_a_full_disk())
    book.check(lost=lost)
    assert len(book.requests) == len(book.replies) - lost
    assert book.ends() == {"done"}
