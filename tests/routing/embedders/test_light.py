"""A process that serves imports neither torch nor what trains."""

import json
import subprocess
import sys

_HEAVY = ["torch", "transformers", "sentence_transformers", "sklearn", "scipy", "onnx"]
_SERVE = f"""
import json, sys, warnings
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
print(json.dumps([scores, [name for name in {_HEAVY} if name in sys.modules]]))
"""


def test_a_serving_process_scores_with_every_embedder_and_stays_light(built):
    command = [sys.executable, "-c", _SERVE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    scores, heavy = json.loads(done.stdout.splitlines()[-1])
    assert scores == [0.25, 0.5, 0.5, 0.5]
    assert heavy == []
