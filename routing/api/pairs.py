"""Take pairs made elsewhere: both tiers' answers to requests that another gateway served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.utils import timezone
from ninja import Router, Schema
from pydantic import ConfigDict, Field, field_validator, model_validator

from routing import importing
from routing.api.document import problems
from routing.api.keys import KeyRequest, Needs
from routing.api.moments import Moment
from routing.types import Scope, Tier
from routing.wire.body import last_user_text

router = Router(tags=["Import"])

_MOST_TOKENS = 2_000_000_000
#: Clocks differ: a little later than now is now.
_CLOCKS_DIFFER = timedelta(minutes=1)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_STRICT = ConfigDict(strict=True, extra="forbid")
#: A price may be sent as a text, so that no digit is lost.
_Usd = Annotated[Decimal, Field(strict=False, ge=0, le=1_000_000, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=_MOST_TOKENS)]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class SideIn(Schema):
    """One tier's completion."""

    model_config = _STRICT

    model: str = Field(min_length=1, max_length=120, description="As the live policy names it")
    text: str
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    cost_usd: _Usd | None = Field(
        None, description="Default: by the policy's price and the tokens; else unknown"
    )
    latency_ms: float | None = Field(None, ge=0, le=1e9, allow_inf_nan=False)
    stop_reason: str | None = Field(None, max_length=40)

    def side(self) -> importing.Side:
        """Return the completion as the service takes it."""
        return importing.Side(**self.model_dump())


class MessageIn(Schema):
    """One turn, in the Messages format."""

    model_config = _STRICT

    role: Literal["user", "assistant", "system"]
    content: str | list[dict[str, Any]]


class PairIn(Schema):
    """One request with the completions of both tiers. Either `query` or `messages`."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={"oneOf": [{"required": ["query"]}, {"required": ["messages"]}]},
    )

    id: str = Field(min_length=1, max_length=200, description="Yours; the same id again is skipped")
    query: str | None = Field(None, description="A text that is not blank")
    messages: list[MessageIn] | None = Field(None, min_length=1)
    system: str | None = None
    task: str | None = Field(None, max_length=40, description="Default: detected from the text")
    occurred_at: Moment | None = Field(
        None, strict=False, ge=_EARLIEST, description="Not in the future. Default: now"
    )
    score: _Share | None = Field(None, description="Default: the live policy's router scores it")
    served: Tier = Field(Tier.EXPENSIVE, strict=False, description="Whose answer the client got")
    rate: float = Field(
        1.0, gt=0, le=1, allow_inf_nan=False, description="Probability of having been paired"
    )
    cheap: SideIn
    expensive: SideIn

    @field_validator("occurred_at")
    @classmethod
    def _not_in_the_future(cls, value: datetime | None) -> datetime | None:
        now = timezone.now()
        if value is not None and value > now + _CLOCKS_DIFFER:
            raise ValueError("must not be in the future")
        return value and min(value, now)

    @model_validator(mode="after")
    def _one_text(self) -> PairIn:
        has_query = bool(self.query and self.query.strip())
        if has_query == bool(self.messages):
            raise ValueError("send either query (a text that is not blank) or messages")
        return self

    def pair(self) -> importing.Pair:
        """Return the pair as the service takes it."""
        messages = [message.model_dump() for message in self.messages or []]
        messages = messages or [{"role": "user", "content": self.query}]
        return importing.Pair(
            client_id=self.id,
            payload={"messages": messages} | ({"system": self.system} if self.system else {}),
            query=last_user_text(messages),
            task=self.task or "",
            occurred_at=self.occurred_at or timezone.now(),
            score=self.score,
            served=self.served,
            rate=self.rate,
            sides={Tier.CHEAP: self.cheap.side(), Tier.EXPENSIVE: self.expensive.side()},
        )


_EXAMPLE: Any = {
    "pairs": [
        {
            "id": "litellm-7f3a",
            "query": "When is my invoice due?",
            "occurred_at": "2026-01-31T12:00:00Z",
            "cheap": {"model": "claude-haiku-5-5", "text": "On the 5th.", "output_tokens": 6},
            "expensive": {"model": "claude-sonnet-5-5", "text": "On the 5th.", "cost_usd": "0.01"},
        }
    ]
}


class PairsIn(Schema):
    """A batch."""

    model_config = ConfigDict(
        strict=True, extra="forbid", json_schema_extra={"examples": [_EXAMPLE]}
    )

    pairs: list[PairIn] = Field(min_length=1, max_length=500)


class PairsOut(Schema):
    """What the batch added."""

    imported: int
    already_there: int = Field(description="Pairs whose id was known; nothing of them changed")


@router.post(
    "/pairs",
    auth=Needs(Scope.IMPORT),
    response=PairsOut,
    operation_id="import_pairs",
    summary="Import pairs made elsewhere",
    openapi_extra={"responses": problems(400, 401, 403, 405, 409, 413, 429, 503)},
)
def import_pairs(request: KeyRequest, body: PairsIn) -> PairsOut:
    """Import pairs from LiteLLM, Envoy or any other log. Needs the scope `import`.

    The whole batch is written or nothing of it; sent again it changes nothing, so that a batch
    whose reply was lost may be repeated. Both models must be those of the project's live policy
    (409 says which they are), and pairs count as evidence about that policy's models. Without
    `score` each text is embedded, which takes tens of milliseconds a pair: small batches reply
    sooner. Send a large file as many batches.
    """
    pairs = [pair.pair() for pair in body.pairs]
    outcome = importing.write(request.auth, pairs)
    return PairsOut(imported=outcome.imported, already_there=outcome.already_there)
