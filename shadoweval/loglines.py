"""Log lines, to be read by people or, as JSON with one object each, by log collectors.

No prompt, answer or secret: of an exception its types and places are told, not its text, which may
hold what was asked or a row; of what a library attaches to a record, nothing.
"""

from __future__ import annotations

import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from routing import ids, tracing


class Line(logging.Formatter):
    """Writes a line as its format says, and below it where an exception came from."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """Return places and type, without the text."""
        return "\n".join(_places(*ei))


class Json(JsonFormatter):
    """Writes time, level, logger, message, process, and what is being served."""

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Fill one line."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            "request_id": ids.current.get(),
            "trace_id": tracing.current()[3:35],
            "exception": record.exc_info and _places(*record.exc_info),
        }
        log_data.update({name: value for name, value in said.items() if value})


def _places(
    kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
) -> list[str]:
    """Return what was raised and where, the innermost last; of no exception, nothing."""
    frames = [f"{at.filename}:{at.lineno} {at.name}" for at in traceback.extract_tb(where)]
    return [] if kind is None else [*frames, f"{kind.__module__}.{kind.__qualname__}"]
