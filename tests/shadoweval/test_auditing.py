"""A known fault fails the check; an index that knows nothing is not taken for good news."""

import subprocess

from shadoweval import auditing

FINE = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found"}
BAD = {"name": "c", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}


def test_what_is_told():
    assert auditing.told([SKIPPED]) == (0, ["audit skipped: the index knows none of 1 packages"])
    assert auditing.told([FINE, SKIPPED])[0] == 0
    code, lines = auditing.told([FINE, BAD, SKIPPED])
    assert code == 1
    assert lines[0] == "c 2: CVE-1, mended in 3"
    assert lines[1] == "2 of 3 packages asked about, 1 known faults"


def test_an_index_that_cannot_be_asked_is_said_and_passes(monkeypatch, capsys):
    answer = subprocess.CompletedProcess([], 1, stdout="", stderr="ConnectionError")
    monkeypatch.setattr(subprocess, "run", lambda *args, **more: answer)
    assert auditing.run("constraints.txt") == 0
    assert "audit skipped" in capsys.readouterr().out
