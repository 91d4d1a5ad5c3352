"""What this process computed of rows that never change, kept for whoever asks next.

`Memo` keeps answers by what they depend on. `look` is shorter: while a page is made, what it reads
is read once, so that all its pieces speak of one moment.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import connection

T = TypeVar("T")
P = ParamSpec("P")

_MOST_KEPT = 64
#: What the look under way has read; None where there is none.
_read: ContextVar[dict[Hashable, Any] | None] = ContextVar("read", default=None)


@contextmanager
def look() -> Iterator[None]:
    """Let each function marked `once` read at most once until the end.

    For pages that write nothing: after a write they would go on to tell what was before it. A look
    within a look is part of it.
    """
    token = _read.set({} if _read.get() is None else _read.get())
    try:
        yield
    finally:
        _read.reset(token)


def once(read: Callable[P, T]) -> Callable[P, T]:
    """Within a `look`, answer what was answered to the same arguments; outside, read each time.

    What is returned is shared: nobody may change it.
    """

    @wraps(read)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        known = _read.get()
        if known is None:
            return read(*args, **kwargs)
        name = (read, args, tuple(sorted(kwargs.items())))
        if name not in known:
            known[name] = read(*args, **kwargs)
        answer: T = known[name]
        return answer

    return asked


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
