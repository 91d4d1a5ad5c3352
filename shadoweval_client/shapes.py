"""What the service says, as values. Fields that a newer service adds are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal, TypedDict, TypeVar

S = TypeVar("S", bound="_Shape")


class Asking(TypedDict, total=False):
    """What may come with a query; see docs/api.md for each."""

    messages: list[dict[str, Any]]
    system: str
    context: list[str | dict[str, Any]]
    collection: str
    strategy: Literal["auto", "bm25", "dense", "hybrid"]
    k: int
    search_query: str
    metadata: dict[str, Any]
    model: str
    max_tokens: int
    task: str
    tier: Literal["cheap", "expensive"]
    session: str
    shadow: bool


class Side(TypedDict, total=False):
    """One tier's answer of an imported pair; `model` and `text` are needed."""

    model: str
    text: str
    input_tokens: int
    output_tokens: int
    cost_usd: str
    latency_ms: float
    stop_reason: str


class Pair(TypedDict, total=False):
    """A pair to import: `id`, `cheap`, `expensive`, and `query` or `messages` are needed."""

    id: str
    query: str
    messages: list[dict[str, Any]]
    system: str
    task: str
    occurred_at: str
    score: float
    served: Literal["cheap", "expensive"]
    rate: float
    cheap: Side
    expensive: Side


class _Shape:
    """Made from the JSON of a reply."""

    _reads: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def of(cls: type[S], data: Mapping[str, Any]) -> S:
        """Return the value; what the reply leaves out has the field's default."""
        names = {one.name for one in fields(cls)} & data.keys()  # type: ignore[arg-type]
        return cls(**{name: cls._read(name, data[name]) for name in names})

    @classmethod
    def _read(cls, name: str, value: Any) -> Any:
        read = cls._reads.get(name)
        return value if read is None or value is None else read(value)


@dataclass(frozen=True)
class Decision(_Shape):
    """Where a request goes and why; `score` is None when the router gave none."""

    tier: str
    reason: str
    threshold: float
    task: str
    policy: str
    score: float | None = None
    rule: str | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Route(_Shape):
    """A decision without an answer: `model` is the one to ask."""

    request_id: str
    decision: Decision
    model: str
    simulated: bool = False

    _reads: ClassVar[Mapping[str, Any]] = {"decision": Decision.of}


@dataclass(frozen=True)
class Answer(_Shape):
    """A routed answer; `cost_usd` of all its calls is None where it is unknown, never free."""

    request_id: str
    answer: str
    model: str
    stop_reason: str
    decision: Decision
    usage: dict[str, int | None]
    cost_usd: Decimal | None = None
    simulated: bool = False
    sources: tuple[dict[str, Any], ...] = ()
    used: tuple[int, ...] = ()
    retrieval: dict[str, Any] | None = None

    _reads: ClassVar[Mapping[str, Any]] = {
        "decision": Decision.of,
        "cost_usd": Decimal,
        "sources": tuple,
        "used": tuple,
    }


@dataclass(frozen=True)
class Tokens(_Shape):
    """Tokens of an answer; None where nobody said."""

    input: int | None = None
    output: int | None = None
    cache_write: int = 0
    cache_read: int = 0


@dataclass(frozen=True)
class Item(_Shape):
    """One request of the ledger. Times are aware, latencies in milliseconds."""

    id: str
    received_at: datetime
    task: str
    status: int
    tier: str
    reason: str
    threshold: float
    policy: str
    score: float | None = None
    model: str | None = None
    cost_usd: Decimal | None = None
    tokens: Tokens | None = None
    latency_ms: float | None = None
    overhead_ms: float | None = None
    session: str = ""
    is_escalated: bool = False
    is_stream: bool = False
    shadow: dict[str, Any] | None = None

    _reads: ClassVar[Mapping[str, Any]] = {
        "received_at": datetime.fromisoformat,
        "cost_usd": Decimal,
        "tokens": Tokens.of,
    }


@dataclass(frozen=True)
class Entry(Item):
    """One request in full. The shadow answer is not in it: people rate blind."""

    query: str = ""
    metadata: dict[str, Any] | None = None
    served: dict[str, Any] | None = None
    has_pair: bool = False
    feedback: tuple[dict[str, Any], ...] = ()
    retrieval: dict[str, Any] | None = None

    _reads: ClassVar[Mapping[str, Any]] = {**Item._reads, "feedback": tuple}


@dataclass(frozen=True)
class Page:
    """Requests, newest first; `next_cursor` is None on the last page."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True)
class Imported:
    """How far an import is: pairs that are new, and pairs whose id was known."""

    imported: int = 0
    already_there: int = 0

    @property
    def total(self) -> int:
        """Pairs that the service has taken."""
        return self.imported + self.already_there


@dataclass(frozen=True)
class Curve(_Shape):
    """A study's curve by threshold; `certificate` is None when only a judge has spoken."""

    study: int
    name: str
    status: str
    status_text: str
    raters: str
    points: list[dict[str, Any]]
    certificate: dict[str, Any] | None = None
