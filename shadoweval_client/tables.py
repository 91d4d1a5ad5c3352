"""Exports and ledgers as data frames; pandas and polars are needed only when asked for."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadoweval_client.shapes import Item

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


@dataclass(frozen=True)
class Table:
    """A Parquet file in memory.

    Attributes:
        content: the file.
        left_out: rows that a key may not see yet: their pairs wait for a rating or are in dispute.
    """

    content: bytes
    left_out: int

    def save(self, path: str | Path) -> Path:
        """Write the file and return where."""
        target = Path(path)
        target.write_bytes(self.content)
        return target

    def to_polars(self) -> pl.DataFrame:
        """Return it as a polars frame."""
        import polars as pl

        return pl.read_parquet(io.BytesIO(self.content))

    def to_pandas(self) -> pd.DataFrame:
        """Return it as a pandas frame; needs pyarrow, too."""
        import pandas as pd

        return pd.read_parquet(io.BytesIO(self.content))


def to_polars(items: Iterable[Item]) -> pl.DataFrame:
    """Return requests of the ledger as a polars frame, one row each."""
    import polars as pl

    return pl.DataFrame([row(item) for item in items], infer_schema_length=None)


def to_pandas(items: Iterable[Item]) -> pd.DataFrame:
    """Return requests of the ledger as a pandas frame, one row each."""
    import pandas as pd

    return pd.DataFrame([row(item) for item in items])


def row(item: Item) -> dict[str, Any]:
    """Return a request flat: `tokens_input` instead of `tokens["input"]`, money as a float."""
    flat: dict[str, Any] = {}
    for name, value in asdict(item).items():
        if isinstance(value, dict):
            flat |= {f"{name}_{part}": inner for part, inner in value.items()}
        else:
            flat[name] = float(value) if isinstance(value, Decimal) else value
    return flat
