"""Embedders by id: text to vector. One instance a process, with a memory of its last texts."""

from __future__ import annotations

import threading
from importlib import import_module

from routing.embedders import files, ids
from routing.embedders.memory import Remembering

#: Imported at first use: most commands never embed. Each is called with its id and the folder.
_EMBEDDERS = {
    ids.MINILM: "routing.embedders.minilm.MiniLM",
    ids.MINILM_FP32: "routing.embedders.minilm.MiniLM",
    ids.STATIC: "routing.embedders.static.Static",
}
#: What SHADOWEVAL_EMBEDDER may say.
NAMES = {"minilm": ids.MINILM, "static": ids.STATIC}
_DIMENSIONS = {ids.MINILM: 384, ids.MINILM_FP32: 384, ids.STATIC: 256}
_instances: dict[str, Remembering] = {}
_lock = threading.Lock()


def get(id: str) -> Remembering:
    """Return the process's instance; the first call builds the files if they are not there.

    Raises:
        KeyError: when no embedder has this id; the message names those there are.
        ModelsMissing: when its files are missing or damaged and cannot be built.
    """
    if id not in _EMBEDDERS:
        raise KeyError(f"no embedder {id!r}; there are {', '.join(_EMBEDDERS)}")
    with _lock:  # whoever comes second waits for the first one's
        if id not in _instances:
            where = files.folder()
            files.ensure(where)
            module, _, name = _EMBEDDERS[id].rpartition(".")
            made = getattr(import_module(module), name)(id, where)
            _instances[id] = Remembering(made)
        return _instances[id]


def dimensions(id: str) -> int:
    """Return the length of an embedder's vectors, without loading it.

    Raises:
        KeyError: when no embedder has this id.
    """
    return _DIMENSIONS[id]
