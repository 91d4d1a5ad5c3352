"""Values that travel along one request: plain, frozen, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

#: The model name that asks for routing.
AUTO = "auto"


class Dialect(StrEnum):
    """A family of bodies: Anthropic's Messages or OpenAI's Chat Completions."""

    MESSAGES = "messages"
    CHAT = "chat"


#: The dialect of each wire a request can come in by.
DIALECTS = {
    "anthropic": Dialect.MESSAGES,
    "native": Dialect.MESSAGES,
    "openai": Dialect.CHAT,
    "import": Dialect.MESSAGES,
}


class Tier(StrEnum):
    """A role, not a model: the policy names the model that plays it."""

    CHEAP = "cheap"
    EXPENSIVE = "expensive"

    @property
    def other(self) -> Tier:
        """The tier that a shadow call asks."""
        return Tier.EXPENSIVE if self is Tier.CHEAP else Tier.CHEAP


class Scope(StrEnum):
    """What an API key may be used for."""

    ROUTE = "route"
    IMPORT = "import"
    READ = "read"


class Reason(StrEnum):
    """Why a request went to its tier."""

    BELOW_THRESHOLD = "below_threshold"
    AT_OR_ABOVE_THRESHOLD = "at_or_above_threshold"
    RULE = "rule"
    ROUTER_ERROR = "router_error"
    FALLBACK = "fallback"
    BYPASSED = "bypassed"
    FORCED = "forced"
    STICKY = "sticky"
    UNTRANSLATABLE = "untranslatable"
    UNFAMILIAR = "unfamiliar"
    TOOLS = "tools"
    CONTEXT_LENGTH = "context_length"
    UNPRICED = "unpriced"
    CHEAP_FIRST = "cheap_first"
    ESCALATED = "escalated"
    IMPORTED = "imported"


@dataclass(frozen=True)
class Source:
    """One numbered passage that an answer may rest on. Data, whatever it says.

    Attributes:
        n: its number in the prompt, from 1.
        document: what its owner calls it, or "".
        score: of the retrieval that found it; the client's own where it brought it.
        chunk: number of the stored chunk, None for a client's.
        start: where in the document it begins.
    """

    n: int
    text: str
    document: str = ""
    title: str = ""
    score: float | None = None
    chunk: int | None = None
    start: int = 0


@dataclass(frozen=True)
class RetrievalValue:
    """What was looked up for one request; stored, never recomputed. Columns as in `Retrieval`."""

    strategy: str
    asked: str
    chooser: str
    query: str
    sources: tuple[Source, ...]
    confidence: float | None
    ms: float
    collection: str = ""
    collection_id: int | None = None
    version: int | None = None
    rewritten_by: str = ""
    rewrite_ms: float | None = None
    cost_usd: Decimal | None = Decimal(0)
    signals: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ChatRequest:
    """One request, whatever wire it came in by.

    Attributes:
        payload: the body in its dialect, but for `model`.
        query: the text that is scored: the last user turn.
        model: what the client asked for: `auto`, a policy's name, or a tier's model.
        task: task type given by the client, or "" (then it is detected).
        headers: the client's headers that the provider gets too, lower-case names.
        raw: the body as it came; b"" when the payload was put together here.
        length: of the body as it came, in bytes.
        url_query: what followed the path's question mark; the provider gets it too.
        is_stream: the reply is wanted as server-sent events.
        session: the client's name for the conversation, or "".
        forced: the tier that the client insists on, or None.
        no_shadow: the client wants no shadow call.
        collection: the collection to look in, or "".
        strategy: of the retrieval, as asked; "" for the collection's own.
        k: how many sources, as asked; None for the collection's own.
        search_query: the client's own self-contained form of the query, or "".
        context: passages that the client brought, instead of a collection.
        retrieval: what was looked up; its sources are in `payload` then, and `raw` is empty.
    """

    payload: dict[str, Any]
    query: str
    model: str
    task: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    dialect: Dialect = Dialect.MESSAGES
    raw: bytes = b""
    length: int = 0
    url_query: str = ""
    is_stream: bool = False
    session: str = ""
    forced: Tier | None = None
    no_shadow: bool = False
    collection: str = ""
    strategy: str = ""
    k: int | None = None
    search_query: str = ""
    context: tuple[Source, ...] = ()
    retrieval: RetrievalValue | None = None


@dataclass(frozen=True)
class Outgoing:
    """What a provider is sent: the body with its model, and what the client said beside it."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    url_query: str = ""


@dataclass(frozen=True)
class Price:
    """USD per million tokens, with where and when it was read.

    Attributes:
        cache_write_usd: for entries that live five minutes.
        cache_write_1h_usd: for entries that live an hour.
        long_over_tokens: prompts with more tokens than this, cached ones included, pay
            `long_factor` times every rate; None when length does not matter.
    """

    input_usd: Decimal
    output_usd: Decimal
    cache_write_usd: Decimal | None = None
    cache_write_1h_usd: Decimal | None = None
    cache_read_usd: Decimal | None = None
    long_over_tokens: int | None = None
    long_factor: Decimal | None = None
    source: str = ""
    date: str = ""


@dataclass(frozen=True)
class TierSpec:
    """Who plays a tier: a provider's name, its address, the model, and the price if known.

    `key_name` is the environment variable that holds the provider's key; the key itself is
    never stored. `follows_key`: nobody named the provider, so it is Anthropic's when the server has
    its key, else simulated. `context_tokens`: the longest prompt that the model takes, if known.
    """

    provider: str
    model: str
    base_url: str = ""
    key_name: str = ""
    price: Price | None = None
    follows_key: bool = False
    context_tokens: int | None = None

    @property
    def identity(self) -> str:
        """Who answers, in one text."""
        return f"{self.provider}|{self.model}|{self.base_url}"

    @property
    def lane(self) -> str:
        """Whom shadow calls wait for: calls to one address share its limits and its pauses."""
        return f"{self.provider}|{self.base_url}"[:300]


@dataclass(frozen=True)
class Usage:
    """Tokens of one completion; None where the provider did not say.

    Attributes:
        input_tokens: without those written to or read from a cache.
        cache_write_tokens: written for five minutes; `cache_write_1h_tokens` for an hour.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt, cached or not."""
        cached = self.cache_write_tokens + self.cache_write_1h_tokens + self.cache_read_tokens
        return (self.input_tokens or 0) + cached


@dataclass(frozen=True)
class Reply:
    """One completion as a provider gave it.

    Attributes:
        body: the provider's reply, byte for byte; of a stream, the reply its events add up to.
        text: its text blocks, joined.
        model: the model string that came back.
        latency_ms: from sending the call to the last byte.
        headers: the provider's headers that the client gets too.
        state_ids: of its tool calls, and its thinking signatures: what only its maker can read.
        is_partial: the stream broke off.
    """

    body: bytes
    text: str
    model: str
    stop_reason: str
    usage: Usage
    latency_ms: float
    headers: dict[str, str] = field(default_factory=dict)
    dialect: Dialect = Dialect.MESSAGES
    state_ids: tuple[str, ...] = ()
    is_partial: bool = False


@dataclass(frozen=True)
class Score:
    """What a router says of one query: P(the expensive tier is needed), and who said it.

    Attributes:
        needs_answer: the router wants to see the cheap answer first; `value` is then the lowest
            score that it may come to.
    """

    value: float
    rule: str = ""
    needs_answer: bool = False


@dataclass(frozen=True)
class DecisionValue:
    """Where one request goes and why; stored, never recomputed.

    Attributes:
        needs_answer: CHEAP is asked first, and its answer decides.
        confidence: in [0, 1], what the cheap model said of its own answer; None when nothing.
        probe_usd: what asking the cheap model before deciding cost, all its calls together; None
            when it was not asked, the price is unknown, or its client left amid the calls.
        probe_ms: how long that took; None when it was not asked.
    """

    tier: Tier
    reason: Reason
    threshold: float
    score: float | None = None
    rule: str = ""
    task: str = ""
    needs_answer: bool = False
    confidence: float | None = None
    probe_usd: Decimal | None = None
    probe_ms: float | None = None
