"""Artifacts: named arrays of numbers in an .npz. Reading one runs no code."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np


def dumps(arrays: Mapping[str, Any]) -> bytes:
    """Return the artifact; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    return buffer.getvalue()


def loads(artifact: bytes) -> dict[str, np.ndarray]:
    """Return the arrays by name.

    Raises:
        ValueError: when it is no such artifact, or holds objects.
    """
    try:
        with np.load(io.BytesIO(artifact), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as exc:  # zipfile and numpy have a dozen ways to say it
        raise ValueError(f"This is no artifact of a router: {type(exc).__name__}.") from exc


def of_json(value: Any) -> np.ndarray:
    """Return a JSON value as an array of its UTF-8 bytes."""
    return np.frombuffer(json.dumps(value, sort_keys=True).encode(), dtype=np.uint8)


def to_json(array: np.ndarray) -> Any:
    """Return the JSON value that `of_json` stored.

    Raises:
        ValueError: when the bytes are no JSON.
    """
    return json.loads(array.astype(np.uint8).tobytes())
