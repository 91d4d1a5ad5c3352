"""Text of PDF files, read in a process of its own: a file may be made to take for ever.

Run as a module, it reads a file from stdin and writes what it found as JSON.
"""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
from io import BytesIO
from typing import NamedTuple

MOST_PAGES = 2000
#: Characters; `reading` refuses what is longer, so that no more need be read.
_ENOUGH = 2_000_001
_TIME_S = 60
#: By the clock, where the machine is busy; less than a worker may be silent (`indexing.LEASE`).
_WAIT_S = 75
_MEMORY_BYTES = 2_000_000_000


_TOO_MUCH = "The PDF takes too long to read, or too much memory: upload it in parts."


class Unfinished(ValueError):
    """Time ran out by the clock: on a machine with less to do it may be read."""


class Text(NamedTuple):
    """What a PDF says."""

    title: str
    text: str
    pages: int


def read(content: bytes) -> Text:
    """Return a PDF's text, its pages apart.

    Raises:
        Unfinished: in a sentence, when the machine was too busy.
        ValueError: in a sentence, when it is damaged, encrypted, too long, or has no text.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "routing.retrieval.pdf"],
            input=content, capture_output=True, timeout=_WAIT_S, check=False,
        )  # fmt: skip
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        why = f"The PDF was not read within {_WAIT_S} s: try again when the machine is less busy."
        raise Unfinished(why) from None
    except ValueError:
        raise ValueError(_TOO_MUCH) from None
    if "why" in found:
        raise ValueError(found["why"])
    return Text(found["title"], found["text"], found["pages"])


def _extracted(content: bytes) -> Text:
    from pypdf import PdfReader
    from pypdf.errors import LimitReachedError

    try:
        reader = PdfReader(BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("The PDF is encrypted: upload it without a password.")
        pages = len(reader.pages)
        if pages > MOST_PAGES:
            raise ValueError(f"The PDF has {pages:,} pages; one may have {MOST_PAGES:,}.")
        said: list[str] = []
        for page in reader.pages:
            said.append(page.extract_text())
            if sum(map(len, said)) > _ENOUGH:
                break
        title = str((reader.metadata and reader.metadata.title) or "")
    except ValueError as exc:
        if type(exc) is ValueError and str(exc).startswith("The PDF"):
            raise
        raise ValueError("The PDF is damaged.") from exc
    except (LimitReachedError, MemoryError, RecursionError) as exc:
        raise ValueError(_TOO_MUCH) from exc
    except Exception as exc:  # pypdf raises whatever a damaged file leads it to
        raise ValueError("The PDF is damaged.") from exc
    text = "\n\n".join(said).strip()
    if not text:
        raise ValueError("The PDF has no text: it may be made of pictures.")
    return Text(title, text, pages)


def main() -> None:
    """Read stdin, write stdout; the system ends what takes too much."""
    resource.setrlimit(resource.RLIMIT_CPU, (_TIME_S, _TIME_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    logging.disable()
    try:
        found: dict[str, object] = _extracted(sys.stdin.buffer.read())._asdict()
    except ValueError as exc:
        found = {"why": str(exc)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
