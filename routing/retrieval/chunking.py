"""Documents cut into passages at the largest seams of sense that keep them short enough."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from semantic_text_splitter import MarkdownSplitter, TextSplitter
from tokenizers import Tokenizer

from routing.embedders import files

#: Longest passages that are looked at together: the splitter's time grows faster than its text.
_PASSAGES_A_SPAN = 4
#: Where a span had better end, best first.
_SEAMS = ("\n\n", "\n", ". ", " ")
#: A word that the embedder does not know is one token, however long it is.
_CHARS_A_TOKEN = 16


class Piece(NamedTuple):
    """One passage: where in the text it begins, in characters, and what it says."""

    start: int
    text: str


def cut(text: str, most_tokens: int, *, is_markdown: bool = False) -> list[Piece]:
    """Return a text's passages in order; one that is short enough stays whole.

    Args:
        text: of one document.
        most_tokens: word pieces that a passage has at most.
        is_markdown: whether headings and blocks are seams.

    Raises:
        ModelsMissing: when the tokenizer's file is missing or damaged.
    """
    splitter = _splitter(files.folder(), most_tokens, is_markdown)
    longest = most_tokens * _CHARS_A_TOKEN
    return [
        Piece(span.start + start + at, said[at : at + longest])
        for span in _spans(text, _PASSAGES_A_SPAN * longest)
        for start, said in splitter.chunk_indices(span.text)
        for at in range(0, len(said), longest)
    ]


def _spans(text: str, most: int) -> Iterator[Piece]:
    start = 0
    while len(text) - start > most:
        end = _seam(text, start + most // 2, start + most)
        yield Piece(start, text[start:end])
        start = end
    yield Piece(start, text[start:])


def _seam(text: str, low: int, high: int) -> int:
    for seam in _SEAMS:
        found = text.rfind(seam, low, high)
        if found >= 0:
            return found + len(seam)
    return high


@lru_cache(8)
def _splitter(folder: Path, most: int, is_markdown: bool) -> TextSplitter | MarkdownSplitter:
    tokenizer = Tokenizer.from_file(str(files.verified(folder, files.TOKENIZER)))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    kind = MarkdownSplitter if is_markdown else TextSplitter
    return kind.from_huggingface_tokenizer(tokenizer, most)
