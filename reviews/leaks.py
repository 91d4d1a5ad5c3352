"""tmp"""

from typing import NamedTuple


class Leak(NamedTuple):
    kind: str
    start: int
    end: int


def find(text, names, query=""):
    return ()


def mask(text, leaks):
    return text
