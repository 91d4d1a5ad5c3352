"""Exact nearest neighbours by inner product, in memory-mapped files.

What is found is what scoring every vector would find: see `Dense.search`. A vector's first
coordinates along the principal axes of all say most about a product; what the others can add at
most bounds it (Cauchy and Schwarz). So most vectors are never read. Figures: docs/adr/0040.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from routing.retrieval.base import Found

_VECTORS, _AXES, _HEADS, _TAILS, _ABOUT = (
    "vectors.f32", "axes.f32", "heads.f32", "tails.f32", "dense.json"
)  # fmt: skip
_FLOAT = np.dtype("<f4")
#: Vectors are of unit length, or zero; float32 leaves them a little off.
_LONGEST = 1.001
#: So many axes are kept that they hold this share of the squares, and this part of all axes: fewer
#: make looser bounds, more take longer. In steps, as products are made of whole lines of memory.
_SHARE, _LEAST_PART, _STEP, _MOST_AXES = 0.9, 7 / 12, 32, 256
#: Heads that are multiplied at once: larger products BLAS spreads over threads, which on a busy
#: machine wait for each other.
_PIECE = 32
#: Below so many vectors all are scored.
_FEW = 4096
_BLOCK = 256 * _PIECE


def build(vectors: Iterable[np.ndarray], folder: Path, dimensions: int) -> None:
    """Write vectors to a folder that exists.

    Args:
        vectors: blocks of shape (n, dimensions), float32, of unit length or zero.
        folder: what `Dense.open` reads.
        dimensions: of every vector.

    Raises:
        ValueError: when a block has another shape, or vectors that are no numbers or too long.
    """
    size, squares = 0, np.zeros((dimensions, dimensions))
    with (folder / _VECTORS).open("wb") as file:
        for block in vectors:
            _check(block, dimensions)
            file.write(np.ascontiguousarray(block, dtype=_FLOAT).tobytes())
            squares += block.T @ block
            size += len(block)
    axes = _axes(squares) if size > _FEW else np.empty((dimensions, 0), _FLOAT)
    about = {"size": size, "dimensions": dimensions, "axes": axes.shape[1]}
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
    _write_bounds(folder, mapped(folder / _VECTORS, (size, dimensions), _FLOAT), axes)


def _axes(squares: np.ndarray) -> np.ndarray:
    """Return the first principal axes, shape (d, m), float32."""
    weights, axes = np.linalg.eigh(squares)
    share = np.cumsum(weights[::-1]) / max(float(weights.sum()), 1e-30)
    most = max(int(np.searchsorted(share, _SHARE)) + 1, _LEAST_PART * len(squares))
    most = min(len(squares), math.ceil(most / _STEP) * _STEP, _MOST_AXES)
    return np.ascontiguousarray(axes[:, ::-1][:, :most], dtype=_FLOAT)


def _write_bounds(folder: Path, vectors: np.ndarray, axes: np.ndarray) -> None:
    """Write each vector's head, its coordinates along the axes, and the length of what is left."""
    axes.tofile(folder / _AXES)
    with (folder / _HEADS).open("wb") as heads, (folder / _TAILS).open("wb") as tails:
        for start in range(0, len(vectors) if axes.size else 0, _BLOCK):
            block = vectors[start : start + _BLOCK].astype(np.float64)
            head, tail = _split(block, axes)
            pieces = np.pad(head, ((0, -len(head) % _PIECE), (0, 0)))
            pieces = pieces.reshape(-1, _PIECE, axes.shape[1]).transpose(0, 2, 1)
            heads.write(np.ascontiguousarray(pieces, _FLOAT).tobytes())
            tails.write(tail.astype(_FLOAT).tobytes())


def _split(vectors: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return heads (n, m) and lengths of tails (n,) of float64 vectors (n, d)."""
    wide = axes.astype(np.float64)
    heads = vectors @ wide
    return heads, np.linalg.norm(vectors - heads @ wide.T, axis=1)


def _check(block: np.ndarray, dimensions: int) -> None:
    if block.ndim != 2 or block.shape[1] != dimensions:
        raise ValueError(f"vectors of shape {block.shape} instead of (n, {dimensions})")
    lengths = np.linalg.norm(block, axis=1)
    if not (lengths <= _LONGEST).all():  # NaN is not
        raise ValueError("vectors that are not of unit length")


class Dense:
    """Vectors of one index.

    Attributes:
        vectors: shape (n, d), float32, read only.
    """

    def __init__(
        self, vectors: np.ndarray, axes: np.ndarray, heads: np.ndarray, tails: np.ndarray
    ) -> None:
        self.vectors = vectors
        self.size, self.dimensions = vectors.shape
        self._axes, self._heads, self._tails = axes, heads, tails
        self._gone = np.empty(0, np.int64)

    @classmethod
    def open(cls, folder: Path) -> Dense:
        """Map what `build` wrote.

        Raises:
            ValueError: when it is not there or of another size.
        """
        try:
            about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            n, d, m = (int(about[name]) for name in ("size", "dimensions", "axes"))
            return cls(
                mapped(folder / _VECTORS, (n, d), _FLOAT), mapped(folder / _AXES, (d, m), _FLOAT),
                mapped(folder / _HEADS, (-(-n // _PIECE) if m else 0, m, _PIECE), _FLOAT),
                mapped(folder / _TAILS, (n if m else 0,), _FLOAT),
            )  # fmt: skip
        except (OSError, KeyError, TypeError) as exc:
            raise ValueError(f"{folder} holds no vectors") from exc

    def without(self, rows: np.ndarray) -> Dense:
        """Return the same vectors, of which these rows are never found.

        Args:
            rows: shape (n,), each once.
        """
        twin = copy.copy(self)
        twin._gone = rows
        return twin

    def search(self, vector: np.ndarray, k: int) -> Found:
        """Return the k rows whose inner product with a vector is highest.

        Candidates come from float32 products, with all that rounding may have kept from their
        place; they are then scored as in `scores`, so that another way to find candidates (see
        `routing.nearest`) gives the same rows.

        Args:
            vector: shape (d,), float32, of unit length or zero.
            k: how many, at least 1.
        """
        k = min(k, self.size - self._gone.size)
        if k < 1:
            return Found(np.empty(0, np.int64), np.empty(0, np.float32))
        rows = self._promising(vector, k) if self._axes.size else None
        some = self.vectors if rows is None else self.vectors[rows]
        rough = _products(some, vector)
        if rows is None:
            rough[self._gone] = -np.inf
        kept = np.flatnonzero(rough >= _kth(rough, k) - slack(self.dimensions))
        return best(self.vectors, kept if rows is None else rows[kept], vector, k)

    def _promising(self, vector: np.ndarray, k: int) -> np.ndarray | None:
        """Return rows among which the k best are, or None when that would be most of them."""
        head = vector @ self._axes
        left = math.sqrt(max(0.0, float(vector @ vector - head @ head)) + slack(self.dimensions))
        most = (head @ self._heads).reshape(-1)[: self.size]
        most += np.float32(left) * self._tails
        most[self._gone] = -np.inf
        likely = np.argpartition(most, self.size - k)[self.size - k :]
        # Some k rows score this high: the k best do.
        least = float(_products(self.vectors[likely], vector).min()) - slack(self.dimensions)
        rows = np.flatnonzero(most >= least)
        return rows if len(rows) < self.size // 3 else None


def _products(vectors: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return inner products on the calling thread alone."""
    found: np.ndarray = np.einsum("ij,j->i", vectors, vector)
    return found


def _kth(values: np.ndarray, k: int) -> float:
    return float(np.partition(values, len(values) - k)[len(values) - k])


def slack(dimensions: int) -> float:
    """Return how far apart two float32 products of unit vectors may be that ought to be equal."""
    return 4 * dimensions * 2.0**-24


def scores(vectors: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return inner products of shape (n,), float32, the same for a row wherever it stands.

    Summed in float64 row by row: BLAS rounds by a row's place, so that equal vectors would differ.
    """
    products = vectors.astype(np.float64) * vector.astype(np.float64)
    total: np.ndarray = products.sum(axis=1).astype(np.float32)
    return total


def best(vectors: np.ndarray, rows: np.ndarray, vector: np.ndarray, k: int) -> Found:
    """Return the k best of some rows; `vectors` holds every row."""
    exact = scores(vectors[rows], vector)
    order = np.lexsort((rows, -exact))[:k]
    return Found(rows[order].astype(np.int64), exact[order])


def mapped(path: Path, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    """Return a file as an array that is read when it is needed; an empty one has no file to map.

    Raises:
        ValueError: when the file has another size.
        OSError: when it cannot be read.
    """
    wanted = int(np.prod(shape)) * kind.itemsize
    if path.stat().st_size != wanted:
        raise ValueError(f"{path} is damaged: {path.stat().st_size} bytes instead of {wanted}")
    if wanted == 0:
        return np.empty(shape, kind)
    return np.memmap(path, kind, "r", shape=shape)
