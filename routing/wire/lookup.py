"""What a request says of the documents that it is to be answered from, whatever the API.

The native API has fields for it; in the other two it stands in `metadata`, beside the client's own.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from routing.retrieval.base import AUTO, STRATEGIES
from routing.types import ChatRequest, Source
from routing.wire.body import require
from routing.wire.sources import clean

#: In `metadata`; they mean something beside `collection` only, and no provider sees them then.
NAMES = ("collection", "strategy", "k", "search_query")
MOST_K = 20
MOST_CONTEXT = 100
_MOST_NAME = 60
_MOST_QUERY = 2_000
_MOST_LABEL = 300
_CHOICES = (AUTO, *STRATEGIES)


def from_metadata(request: ChatRequest) -> ChatRequest:
    """Return a request with what its `metadata` says, and without what no provider may see.

    One that names no collection stays as it is; the body of another is put together anew.

    Raises:
        InvalidRequest: naming the field that cannot be.
    """
    if request.metadata.get("collection") is None:
        return request
    said = {name: request.metadata[name] for name in NAMES if name in request.metadata}
    if isinstance(said.get("k"), str) and said["k"].isdecimal():  # OpenAI's are all texts
        said["k"] = int(said["k"][:9])
    found = read(said, "metadata.")
    rest = {name: value for name, value in request.metadata.items() if name not in NAMES}
    payload = {name: value for name, value in request.payload.items() if name != "metadata"}
    return replace(
        request, payload=payload | ({"metadata": rest} if rest else {}), raw=b"", **found
    )


def read(said: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return what is said of a collection as fields of a request.

    Raises:
        InvalidRequest: naming the field, after `prefix`.
    """
    name = said.get("collection", "")
    is_name = isinstance(name, str) and len(name) <= _MOST_NAME
    named = "collection" not in said or (is_name and bool(name))
    require(named, f"{prefix}collection: must be the name of a collection")
    strategy, k = said.get("strategy", ""), said.get("k")
    known = "strategy" not in said or (isinstance(strategy, str) and strategy in _CHOICES)
    require(known, f"{prefix}strategy: must be one of {', '.join(_CHOICES)}")
    is_count = isinstance(k, int) and not isinstance(k, bool) and 1 <= k <= MOST_K
    require(k is None or is_count, f"{prefix}k: must be a whole number from 1 to {MOST_K}")
    query = said.get("search_query", "")
    fits = isinstance(query, str) and len(query) <= _MOST_QUERY
    require(fits, f"{prefix}search_query: must be a text of at most {_MOST_QUERY:,} characters")
    return {"collection": name, "strategy": strategy, "k": k, "search_query": query.strip()}


def context(said: Any) -> tuple[Source, ...]:
    """Return the passages that a client brought: texts, or objects with `text` and more.

    Raises:
        InvalidRequest: naming the first that cannot be.
    """
    is_list = isinstance(said, list) and len(said) <= MOST_CONTEXT
    require(is_list, f"context: must be a list of at most {MOST_CONTEXT} texts or objects")
    return tuple(_source(n, item) for n, item in enumerate(said, start=1))


def _source(n: int, item: Any) -> Source:
    if isinstance(item, str):
        return clean(Source(n, item))
    where = f"context.{n - 1}"
    require(isinstance(item, dict), f"{where}: must be a text or an object")
    unknown = sorted(set(item) - {"text", "title", "id", "score"})
    require(not unknown, f"{where}: unknown fields {', '.join(unknown)[:200]}")
    require(isinstance(item.get("text"), str), f"{where}.text: must be a text")
    title, key = (item.get(name) or "" for name in ("title", "id"))
    for name, value in (("title", title), ("id", key)):
        fits = isinstance(value, str) and len(value) <= _MOST_LABEL
        require(fits, f"{where}.{name}: must be a text of at most {_MOST_LABEL} characters")
    return clean(Source(n, item["text"], key, title, _score(f"{where}.score", item.get("score"))))


def _score(where: str, value: Any) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = is_number and abs(value) < 1e30 and math.isfinite(value)
    require(fits, f"{where}: must be a number")
    return float(value)
