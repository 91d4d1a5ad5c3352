"""Which embedder should new routers use? What a query costs, and how well a router decides.

Each embedder's cost is measured in a process of its own, on one thread, one text at a time, as CPU
time: that is what it takes from others, and what it lasts on a machine that is idle. Quality
is that of the product's own logistic head on queries it was not fit on: five folds, a query in one
only. Intervals are 95 % bootstrap over queries.
Run: .venv/bin/python benchmarks/embedders.py [folder of *.jsonl.gz with query and needs_large]
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

WORDS = (8, 30, 120)
CALLS = {8: 300, 30: 200, 120: 100}
#: Rows of each file; the rest is left out to keep the run to minutes.
ROWS = 700
FOLDS = 5
DRAWS = 400
SEED = 7


class SentenceTransformers:
    """What the service used before; here for comparison only."""

    def __init__(self) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        from routing.embedders.build import weights_dir

        torch.set_num_threads(1)
        self._model = SentenceTransformer(str(weights_dir()), device="cpu")
        self._model.max_seq_length = 256

    def embed(self, text: str) -> np.ndarray:
        return self._model.encode(text, normalize_embeddings=True, show_progress_bar=False)


def make(name: str):
    """Return an embedder without a memory of earlier texts."""
    from routing.embedders import files, ids

    if name == "sentence-transformers":
        return SentenceTransformers()
    if name == "static":
        from routing.embedders.static import Static

        return Static(ids.STATIC, files.folder())
    from routing.embedders.minilm import MiniLM

    return MiniLM(ids.MINILM if name == "int8" else ids.MINILM_FP32, files.folder())


NAMES = ("sentence-transformers", "fp32", "int8", "static")


def texts(words: int, n: int) -> list[str]:
    """Return n texts of so many words each, cut from the starter queries."""
    path = ROOT / "routing" / "data" / "starter_queries.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    stream = " ".join(row["query"] for row in rows).split()
    starts = [k * 37 % (len(stream) - words) for k in range(n)]
    return [" ".join(stream[start : start + words]) for start in starts]


def cost(name: str) -> dict:
    """Measure one embedder in this process."""
    import psutil

    started = time.perf_counter()
    embedder = make(name)
    embedder.embed("one")
    found = {"load_s": time.perf_counter() - started}
    for words in WORDS:
        taken = []
        for text in texts(words, CALLS[words]):
            start = time.thread_time()
            embedder.embed(text)
            taken.append((time.thread_time() - start) * 1000)
        found[f"p50_{words}"], found[f"p99_{words}"] = np.percentile(taken, [50, 99])
    found["rss_mb"] = psutil.Process().memory_info().rss / 1e6
    return found


def print_costs() -> None:
    print(
        "embedder               load s   "
        + "".join(f"{w:>4} words p50/p99 ms " for w in WORDS)
        + "RSS MB"
    )
    for name in NAMES:
        command = [sys.executable, __file__, "--cost", name]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
        found = json.loads(done.stdout)
        figures = "".join(f"{found[f'p50_{w}']:14.2f} /{found[f'p99_{w}']:6.2f}  " for w in WORDS)
        print(f"{name:22} {found['load_s']:6.2f} {figures}{found['rss_mb']:8.0f}", flush=True)


def rows(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    labelled = [row for row in found if row.get("needs_large") in (0, 1) and row["query"].strip()]
    order = np.random.default_rng(SEED).permutation(len(labelled))
    return [labelled[k] for k in order[:ROWS]]


def held_out(vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return each row's score by a head that was fit without its query."""
    from sklearn.model_selection import GroupKFold

    from routing.routers import embedding

    scores = np.empty(len(labels))
    for fit, held in GroupKFold(FOLDS, shuffle=True, random_state=SEED).split(
        vectors, groups=groups
    ):
        coef, intercept = embedding.fit(vectors[fit], labels[fit], SEED)
        scores[held] = vectors[held] @ coef + intercept
    return scores


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(labels, scores)


def apgr(scores: np.ndarray, cheap: np.ndarray, expensive: np.ndarray) -> float:
    """Return the mean share of the quality gap recovered, over all shares of expensive calls."""
    gain = np.cumsum((expensive - cheap)[np.argsort(-scores, kind="stable")])
    return float(np.mean(np.concatenate([[0.0], gain / gain[-1]])))


def bootstrap(scores: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return AUROC on the same resampled rows for each embedder, so that they can be compared."""
    draw = np.random.default_rng(SEED)
    drawn: dict[str, list[float]] = {name: [] for name in scores}
    while len(drawn["int8"]) < DRAWS:
        taken = draw.integers(0, len(labels), len(labels))
        if 0 < labels[taken].sum() < len(labels):
            for name, of in scores.items():
                drawn[name].append(auroc(of[taken], labels[taken]))
    return {name: np.array(values) for name, values in drawn.items()}


def print_quality(folder: Path) -> None:
    kept = ("fp32", "int8", "static")  # fp32 is sentence-transformers, to the sixth digit
    made = {name: make(name) for name in kept}
    known: dict[tuple[str, str], np.ndarray] = {}

    def vectors(name: str, queries: list[str]) -> np.ndarray:
        for query in queries:
            if (name, query) not in known:
                known[name, query] = made[name].embed(query)
        return np.stack([known[name, query] for query in queries])

    print(
        "\nheld out: AUROC of 'needs large' [95 %], APGR (random .50); difference on the same draws"
    )
    for path in sorted(folder.glob("*.jsonl.gz")):
        if path.name.split(".")[0] not in FILES:
            continue
        sample = rows(path)
        queries = [row["query"] for row in sample]
        labels = np.array([row["needs_large"] for row in sample])
        groups = np.unique(queries, return_inverse=True)[1]
        cheap, expensive = (
            np.array([float(row[f"quality_{tier}"]) for row in sample])
            for tier in ("cheap", "expensive")
        )
        scores = {name: held_out(vectors(name, queries), labels, groups) for name in kept}
        drawn = bootstrap(scores, labels)
        print(f"{path.name.split('.')[0]}: {len(sample)} rows, {labels.mean():.3f} need large")
        for name in kept:
            low, high = np.percentile(drawn[name], [2.5, 97.5])
            line = f"  {name:8} {auroc(scores[name], labels):.3f} [{low:.3f}, {high:.3f}]"
            print(f"{line}  APGR {apgr(scores[name], cheap, expensive):.3f}")
        gap = drawn["int8"] - drawn["static"]
        low, high = np.percentile(gap, [2.5, 97.5])
        print(f"  int8 - static {gap.mean():+.3f} [{low:+.3f}, {high:+.3f}]", flush=True)


FILES = (
    "zeroeval_claude3_haiku_opus",
    "zeroeval_claude35_haiku_sonnet",
    "mmlupro_gemini15_flash_pro",
    "routellm_mmlu",
    "routellm_gsm8k",
)


def main() -> None:
    os.environ.setdefault("SHADOWEVAL_MODELS", str(ROOT / ".models"))
    from routing.embedders import files

    if sys.argv[1:2] == ["--cost"]:
        print(json.dumps(cost(sys.argv[2])))
        return
    files.ensure(files.folder())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print_costs()
    if len(sys.argv) > 1:
        print_quality(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
