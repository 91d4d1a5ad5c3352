"""Where the embedders' files are, and whether they are what the build made.

Nothing heavy is imported here: a process that serves checks sums and reads files. What is missing
is built in a process of its own, because that needs torch and half a gigabyte.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from routing.errors import ModelsMissing

FP32, INT8 = "model_fp32.onnx", "model_int8.onnx"
TOKENIZER = "tokenizer.json"
TABLE = "static.safetensors"
MANIFEST = "manifest.json"
#: Counts the recipes in graph.py, distill.py and build.py: another one is another folder.
RECIPE = 1
#: Building takes about half a minute; a crowded machine gets time.
BUILD_LIMIT_S = 900


def folder() -> Path:
    """Return where the built files are: below SHADOWEVAL_MODELS, else below the data folder."""
    models = os.environ.get("SHADOWEVAL_MODELS")
    root = Path(models) if models else Path(os.environ.get("SHADOWEVAL_VAR", "var")) / "models"
    return root.resolve() / f"all-MiniLM-L6-v2-{RECIPE}"


def manifest(folder: Path) -> dict[str, Any]:
    """Return what the build noted: sums, source, versions, measured agreement.

    Raises:
        ModelsMissing: when it is not there, or of another recipe.
    """
    try:
        noted: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        recipe = noted["recipe"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ModelsMissing(f"{folder} holds no embedding models") from exc
    if recipe != RECIPE:
        raise ModelsMissing(f"{folder} was built by recipe {recipe}, not {RECIPE}")
    return noted


def verified(folder: Path, name: str) -> Path:
    """Return the path of one file whose sum is the manifest's.

    Raises:
        ModelsMissing: when it is not.
    """
    path = folder / name
    try:
        is_same = sha256(path) == manifest(folder)["files"].get(name)
    except OSError as exc:
        raise ModelsMissing(f"{path} cannot be read: {exc.strerror}") from exc
    if not is_same:
        raise ModelsMissing(f"{path} is not the file that was built")
    return path


def check(folder: Path) -> dict[str, Any]:
    """Return the manifest when every file is there and intact.

    Raises:
        ModelsMissing: naming the first that is not.
    """
    noted = manifest(folder)
    for name in (FP32, INT8, TOKENIZER, TABLE):
        verified(folder, name)
    return noted


def ensure(folder: Path) -> None:
    """Build what is missing or damaged, in another process; say so on stderr.

    Raises:
        ModelsMissing: when the build fails; its own words are on stderr.
    """
    try:
        check(folder)
    except ModelsMissing as exc:
        reason = str(exc)
    else:
        return
    print(f"{reason}: building them once, about a minute ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "routing.embedders.build", str(folder)]
    try:
        subprocess.run(command, check=True, timeout=BUILD_LIMIT_S)  # noqa: S603 - our own module
    except (OSError, subprocess.SubprocessError) as exc:
        remedy = f"run `python -m routing.embedders.build {folder}` to see why"
        raise ModelsMissing(f"the embedding models could not be built: {remedy}") from exc
    check(folder)


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
