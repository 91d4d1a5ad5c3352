"""Two engines that share no code come to one certificate."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reviews import chain, columnar
from reviews.certificate import of_inputs
from reviews.pack import recompute
from tests.reviews.pack import frozen

STREAM = {"closed": {"basis": "early"}}
CASES = {
    "window": ({}, {}),
    "safe enough to certify all": ({"n": 8000, "harm": 0.05, "n_tasks": 2}, {}),
    "equal weights": ({"plain": True, "harm": 0.1}, {}),
    "a judge helps": ({"judge": True}, {"judge_role": "certificate"}),
    "a judge that may not help": ({"judge": True}, {}),
    "adequacy floor": ({}, {"adequacy_floor": 0.8}),
    "early": ({}, STREAM),
    "early, with judge and adequacy floor": (
        {"judge": True}, {"judge_role": "certificate", "adequacy_floor": 0.85, **STREAM},
    ),
    "by hand, no early looks": ({}, {"closed": {"basis": "by_hand"}, "early_stop": False}),
    "by hand within a week": ({"days": 6}, {"closed": {"basis": "by_hand"}}),
    "by hand": ({}, {"closed": {"basis": "by_hand"}}),
    "early looks given up": (
        {"plain": True}, {"early_stop": False, "deviations": [{"field": "early_stop"}]},
    ),
    "rows stand for one request each": ({"each": 1.0}, {}),
    "rows stand for more than their request": ({"each": 3.0}, {}),
    "still running": ({}, {"closed": {"basis": ""}}),
    "a budget": ({}, {"rating_budget": 400}),
    "inadequate": ({}, {"loss": "inadequate", "floor": 0.2}),
    "strict harm": ({}, {"loss": "strict_harm"}),
    "not drawn above a threshold": ({"largest": 0.7}, {"largest_threshold": 0.7}),
    "futile": ({}, {"closed": {"basis": "futile"}}),
}  # fmt: skip


def pack(folder, rows, said):
    """Write what the script reads."""
    certificate = of_inputs(rows, said).as_json()
    evidence = {
        "plan": said, "certificate": certificate, "inputs": {"about": vars(rows.about)},
    }  # fmt: skip
    (folder / "data.csv").write_bytes(columnar.csv_file(rows.columns._asdict()))
    (folder / "evidence.json").write_bytes(chain.canonical(evidence))
    return certificate


@pytest.mark.parametrize(("rows", "said"), CASES.values(), ids=CASES)
def test_the_script_comes_to_the_same_certificate(tmp_path, rows, said):
    certificate = pack(tmp_path, frozen.inputs(**rows), frozen.plan(**said))
    data, plan, about, _ = recompute.read(tmp_path)
    threshold, log_k, tasks = recompute.certify(data, plan, about)
    assert threshold == certificate["threshold"]
    assert log_k == pytest.approx([p["log_k"] for p in certificate["grid"]], rel=1e-9, abs=1e-9)
    assert tasks == {task: one["threshold"] for task, one in certificate["by_task"].items()}


def test_the_cases_certify_something_and_not_everything():
    found = {
        name: of_inputs(frozen.inputs(**rows), frozen.plan(**said)).threshold
        for name, (rows, said) in CASES.items()
    }
    assert found["safe enough to certify all"] == 1.01
    assert found["futile"] is None
    assert sum(0 < (at or 0) < 1.01 for at in found.values()) >= 5


@pytest.mark.parametrize("column", ["harm", "score", "pi", "u", "traffic", "order"])
def test_a_changed_column_is_noticed(tmp_path, column):
    rows = frozen.inputs()
    pack(tmp_path, rows, frozen.plan())
    columns = rows.columns._asdict()
    columns[column] = np.roll(columns[column], 1)
    (tmp_path / "data.csv").write_bytes(columnar.csv_file(columns))
    assert recompute.differences(tmp_path)[2]


def alone(folder):
    """Run the script with numpy and nothing else to import."""
    only = folder / "only"
    only.mkdir()
    home = Path(np.__file__).parent.parent
    for name in ("numpy", "numpy.libs"):
        if (home / name).exists():
            (only / name).symlink_to(home / name)
    run = [sys.executable, "-S", str(Path(recompute.__file__)), str(folder)]
    return subprocess.run(
        run, capture_output=True, text=True, env={"PYTHONPATH": str(only), "PATH": os.defpath}
    )


def test_numpy_alone_is_enough(tmp_path):
    pack(tmp_path, frozen.inputs(harm=0.1), frozen.plan())
    done = alone(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the same as in evidence.json" in done.stdout
    assert "task-1:" in done.stdout


def test_a_file_that_is_not_the_manifests_is_named(tmp_path):
    pack(tmp_path, frozen.inputs(harm=0.1), frozen.plan())
    data = (tmp_path / "data.csv").read_bytes()
    files = {"data.csv": {"sha256": hashlib.sha256(data).hexdigest()}, "plan.json": {"sha256": ""}}
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}))
    assert recompute.changed(tmp_path) == ["plan.json: is not there"]
    files["data.csv"]["sha256"] = ""
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}))
    (tmp_path / "plan.json").write_text("{}")
    done = alone(tmp_path)
    assert done.returncode == 1
    assert "data.csv: was changed since" in done.stdout
    assert "plan.json: was changed since" in done.stdout


def test_another_certificate_ends_with_an_error(tmp_path):
    pack(tmp_path, frozen.inputs(harm=0.1), frozen.plan())
    file = tmp_path / "evidence.json"
    evidence = json.loads(file.read_text())
    evidence["certificate"]["threshold"] = 0.99
    file.write_text(json.dumps(evidence))
    done = alone(tmp_path)
    assert done.returncode == 1
    assert "0.99 in evidence.json" in done.stdout
