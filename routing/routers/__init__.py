"""Routers: query to score in [0, 1]. They know no threshold, price or database."""

from collections.abc import Callable

from routing.routers import constant, embedding
from routing.routers.base import Router

#: How a stored version of each kind is loaded: artifact and embedder id to router.
_LOADERS: dict[str, Callable[[bytes, str], Router]] = {
    constant.KIND: constant.loads,
    embedding.KIND: embedding.loads,
}


def load(kind: str, artifact: bytes, embedder: str) -> Router:
    """Return the router of a stored version.

    Args:
        kind: as the version has it.
        artifact: an .npz without objects.
        embedder: the id its vectors come from, or "" for a kind that has none.

    Raises:
        KeyError: when no router has this kind, or no embedder this id.
        ModelsMissing: when the embedder's files are not there and cannot be built.
        ValueError: when the artifact is not what the kind stores.
    """
    if kind not in _LOADERS:
        raise KeyError(f"no kind of router {kind!r}; there are {', '.join(_LOADERS)}")
    return _LOADERS[kind](artifact, embedder)
