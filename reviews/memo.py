"""What this process computed of rows that never change, kept for whoever asks next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from django.db import connection

T = TypeVar("T")

_MOST_KEPT = 64


class Memo(Generic[T]):
    """Answers by what they depend on, the one asked for last at the end; old ones are forgotten."""

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._most = most
        self._known: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return the answer of this name, made once; inside a transaction made anew each time.

        What is not committed yet may never be, and its numbers may come again.
        """
        if connection.in_atomic_block:
            return make()
        if name not in self._known:
            self._known[name] = make()
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        self._known.move_to_end(name)
        return self._known[name]
