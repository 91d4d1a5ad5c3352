"""Named numpy columns as files: Parquet and CSV, the same bytes for the same columns.

Pure, and without pickle: reading a file runs no code of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Columns = Mapping[str, np.ndarray]


def parquet(columns: Columns) -> bytes:
    """Return columns of one length as a compressed Parquet file.

    Args:
        columns: (N,) arrays of floats, whole numbers or booleans by name.
    """
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def read_parquet(content: bytes) -> dict[str, np.ndarray]:
    """Return the columns of a Parquet file, with the types they were written with.

    Raises:
        ValueError: when it is none.

    Example:
        >>> read_parquet(parquet({"score": np.array([0.5, np.nan])}))
        {'score': array([0.5, nan])}
    """
    try:
        table = pq.read_table(io.BytesIO(content))
    except pa.ArrowInvalid as exc:
        raise ValueError(f"not a Parquet file: {exc}") from exc
    return {name: table.column(name).to_numpy() for name in table.column_names}


def csv_file(columns: Columns) -> bytes:
    """Return columns as CSV; a number reads back as the very same, an unknown one is empty.

    Example:
        >>> csv_file({"n": np.array([1, 2]), "s": np.array([0.1, np.nan])}).splitlines()
        [b'n,s', b'1,0.1', b'2,']
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_cells(values) for values in columns.values()), strict=True))
    return text.getvalue().encode()


def _cells(values: np.ndarray) -> list[str]:
    listed = values.tolist()
    if values.dtype.kind == "b":
        return ["true" if value else "false" for value in listed]
    if values.dtype.kind == "f":
        return ["" if value != value else repr(value) for value in listed]
    return [str(value) for value in listed]
