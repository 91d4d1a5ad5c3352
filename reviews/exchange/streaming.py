"""Hand a file on while it is made, without blocking a thread between its pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.utils.text import slugify

from reviews.exchange.columns import columns
from reviews.exchange.exports import Export
from reviews.exchange.formats import FORMATS, encode

#: Says how many rows were left out because their pairs may still be rated or settled blind.
LEFT_OUT = "x-shadoweval-left-out"


def response(export: Export, fmt: str) -> StreamingHttpResponse:
    """Return the export as a download."""
    pieces = encode(export.chunks(), fmt, columns(texts=export.texts))
    _, left_out = export.count()
    name = f"study-{export.study.pk}-{slugify(export.study.name)[:40] or 'export'}"
    return download(pieces, fmt, name, left_out)


def download(pieces: Iterator[bytes], fmt: str, name: str, left_out: int) -> StreamingHttpResponse:
    """Return the pieces of a file as a download.

    Args:
        pieces: as they are made.
        fmt: a name of `formats.FORMATS`.
        name: of the file, without its ending.
        left_out: rows that are not in it, for the reader's eyes stay blind.
    """
    headers = {
        "content-disposition": f'attachment; filename="{name}.{fmt}"',
        "cache-control": "no-store",
        LEFT_OUT: str(left_out),
    }
    content_type = FORMATS[fmt].content_type
    return StreamingHttpResponse(in_threads(pieces), content_type=content_type, headers=headers)


async def in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Make each piece in a thread; only the making takes one.

    Django hands an ordinary iterator on after it was read to its end, whole in memory.
    """
    following = sync_to_async(lambda: next(pieces, None))
    while (piece := await following()) is not None:
        yield piece
