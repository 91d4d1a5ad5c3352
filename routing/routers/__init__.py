"""Routers: query to score in [0, 1]. They know no threshold, price or database."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from routing import embedders
from routing.routers import assembled
from routing.routers.kinds import Kind

log = logging.getLogger(__name__)

#: Packages offer routers of their own under this name: `name = "module:KIND"`.
GROUP = "shadoweval.routers"
#: Modules with `KINDS`, in the order that people see.
_BUILT_IN = (
    "two_heads",
    "embedding",
    "knn",
    "matrix_factorization",
    "cascade",
    "hybrid",
    "constant",
    "routellm",
    "random_control",
)


def kinds() -> dict[str, Kind]:
    """Return every kind by name: those that come with the project, then those of plug-ins.

    A plug-in that cannot be imported, or takes a name that is taken, is logged and left out.
    """
    # What is installed depends on where Python looks; nothing else that may change is remembered.
    return {**_built_in(), **_plug_ins(tuple(sys.path))}


def load(kind: str, artifact: bytes, embedder: str) -> assembled.Assembled:
    """Return the router of a stored version, with the parts that its artifact carries.

    Args:
        kind: as the version has it.
        artifact: an .npz without objects.
        embedder: the id its vectors come from, or "" for a kind that has none.

    Raises:
        KeyError: when no router has this kind, or no embedder this id.
        ModelsMissing: when the embedder's files are not there and cannot be built.
        ValueError: when the artifact is not what the kind stores.
    """
    known = kinds()
    if kind not in known:
        raise KeyError(f"no kind of router {kind!r}; there are {', '.join(known)}")
    try:
        inner, held = known[kind].loads(artifact, embedder), assembled.parts(artifact)
    except (SystemExit, TypeError, RecursionError) as exc:  # a plug-in's, or arrays of odd types
        raise ValueError(f"The artifact cannot be read: {type(exc).__name__}.") from exc
    used = embedders.get(embedder) if embedder else None
    # One of ours may be around a plug-in's, and then says so.
    is_trusted = kind in _built_in() and getattr(inner, "is_trusted", True)
    return assembled.assemble(inner, held, used, is_trusted)


@cache
def _built_in() -> dict[str, Kind]:
    # Imported here: a kind that is made of others may import this package.
    modules = [import_module(f"routing.routers.{name}") for name in _BUILT_IN]
    return {kind.name: kind for module in modules for kind in module.KINDS}


@cache
def _plug_ins(path: tuple[str, ...]) -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for point in _points():
        if point.name in _built_in() or point.name in found:
            log.error(
                "the plug-in %s is left out: this kind of router is there already", point.name
            )
        elif (kind := _kind(point)) is not None:
            found[point.name] = kind
    return found


def _points() -> Iterable[EntryPoint]:
    try:
        return sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    except Exception:  # a damaged file of some other package
        log.exception("plug-ins cannot be listed")
        return []


def _kind(point: EntryPoint) -> Kind | None:
    try:
        kind = point.load()
    except (Exception, SystemExit):
        log.exception("the plug-in %s is left out: it cannot be imported", point.name)
        return None
    if not isinstance(kind, Kind) or kind.name != point.name:
        log.error("the plug-in %s is left out: it is no Kind of this name", point.name)
        return None
    return kind
