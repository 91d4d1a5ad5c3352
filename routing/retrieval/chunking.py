"""Documents cut into passages at the largest seams of sense that keep them short enough."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from semantic_text_splitter import MarkdownSplitter, TextSplitter
from tokenizers import Tokenizer

from routing.embedders import files

#: What a tokenizer puts around every text.
_AROUND = 2
#: Longer runs without a blank are cut before anything is counted: tokenizers take quadratic time.
_LONGEST_RUN = 2000


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
    return [Piece(start, said) for start, said in splitter.chunk_indices(text)]


@lru_cache(8)
def _splitter(folder: Path, most: int, is_markdown: bool) -> TextSplitter | MarkdownSplitter:
    tokenizer = Tokenizer.from_file(str(files.verified(folder, files.TOKENIZER)))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    kind = MarkdownSplitter if is_markdown else TextSplitter
    return kind.from_huggingface_tokenizer(tokenizer, most)
