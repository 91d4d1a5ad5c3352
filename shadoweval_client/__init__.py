"""A small client of the service: routing, feedback, imports, and exports as data frames."""

from shadoweval_client.async_client import AsyncClient
from shadoweval_client.client import Client
from shadoweval_client.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Limited,
    NotAuthenticated,
    NotFound,
    Refused,
    ShadowevalError,
    TooLarge,
    Unavailable,
    Unreachable,
)
from shadoweval_client.shapes import (
    Answer,
    Curve,
    Decision,
    Entry,
    Imported,
    Item,
    Pair,
    Route,
    Side,
    Tokens,
)
from shadoweval_client.tables import Table, to_pandas, to_polars

__all__ = [
    "Answer",
    "AsyncClient",
    "BadRequest",
    "Client",
    "Conflict",
    "Curve",
    "Decision",
    "Entry",
    "Forbidden",
    "Imported",
    "Item",
    "Limited",
    "NotAuthenticated",
    "NotFound",
    "Pair",
    "Refused",
    "Route",
    "ShadowevalError",
    "Side",
    "Table",
    "Tokens",
    "TooLarge",
    "Unavailable",
    "Unreachable",
    "to_pandas",
    "to_polars",
]
