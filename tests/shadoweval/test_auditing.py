"""A known fault fails the check; an index that knows nothing is not taken for good news."""

import json
import subprocess

from shadoweval import auditing

FINE = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found"}
BAD = {"name": "c", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}


def test_what_is_told():
    said = "audit skipped: the index was asked about b and does not know it"
    assert auditing.told([SKIPPED]) == (0, [said], False)
    assert auditing.told([FINE, SKIPPED])[0] == 0
    code, lines, is_known = auditing.told([FINE, BAD, SKIPPED])
    assert (code, is_known) == (1, True)
    assert lines[0] == "c 2: CVE-1, mended in 3"
    assert lines[1] == "2 of 3 packages asked about, 1 known faults"


def _answers(monkeypatch, *packages):
    """Let pip-audit list these, one list after the other; return what it is asked with."""
    said, asked = iter(packages), []

    def answer(command, **more):
        asked.append(command)
        listed = json.dumps({"dependencies": next(said)})
        return subprocess.CompletedProcess(command, 0, stdout=listed)

    monkeypatch.setattr(subprocess, "run", answer)
    return asked


def test_an_index_that_does_not_know_the_first_package_is_not_asked_about_all(monkeypatch):
    asked = _answers(monkeypatch, [SKIPPED])
    assert auditing.run("constraints.txt") == 0
    assert len(asked) == 1


def test_one_that_knows_the_first_is_asked_about_all(monkeypatch, capsys):
    asked = _answers(monkeypatch, [FINE], [FINE, BAD])
    assert auditing.run("constraints.txt") == 1
    assert "constraints.txt" in asked[1]
    assert "CVE-1" in capsys.readouterr().out


def test_an_index_that_cannot_be_asked_is_said_and_passes(monkeypatch, capsys):
    answer = subprocess.CompletedProcess([], 1, stdout="", stderr="ConnectionError")
    monkeypatch.setattr(subprocess, "run", lambda *args, **more: answer)
    assert auditing.run("constraints.txt") == 0
    assert "audit skipped" in capsys.readouterr().out
