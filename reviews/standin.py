"""A stand-in of the Messages API on this machine that repeats recorded answers.

It lets recorded answers go through the running service and its workers as if a provider gave them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from routing.records import clean
from routing.wire.body import last_user_text


@dataclass(frozen=True)
class Recorded:
    """One recorded answer; a token count that nobody knows stays None."""

    text: str
    input_tokens: int | None
    output_tokens: int | None


#: Recorded answers by (model, query as `key` writes it).
Answers = Mapping[tuple[str, str], Recorded]


def key(model: str, query: str) -> tuple[str, str]:
    """Return where an answer is found: workers ask with the query as the database holds it."""
    return model, clean(query)


def message(model: str, recorded: Recorded) -> dict[str, Any]:
    """Return a recorded answer as a Messages response."""
    return {
        "id": "msg_recorded",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": recorded.text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": recorded.input_tokens,
            "output_tokens": recorded.output_tokens,
        },
    }


def _error(kind: str, sentence: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": sentence}}


class _Server(ThreadingHTTPServer):
    """Holds the answers; the workers' burst of connections must fit into the backlog."""

    request_queue_size = 256

    def __init__(self, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one packet: two would wait for each other's acknowledgement.
    wbufsize = -1

    def do_POST(self) -> None:
        """Answer one request with the recorded answer of the model it names."""
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        status, body = self._answer(raw)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, raw: bytes) -> tuple[int, dict[str, Any]]:
        if self.path != "/v1/messages":
            return 404, _error("not_found_error", "Only /v1/messages exists here.")
        try:
            body = json.loads(raw)
            model, query = body["model"], last_user_text(body["messages"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return 400, _error("invalid_request_error", "The body is not a Messages request.")
        assert isinstance(self.server, _Server)
        recorded = self.server.answers.get(key(model, query))
        if recorded is None:
            return 404, _error("not_found_error", "Nothing was recorded for this model and query.")
        return 200, message(model, recorded)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the service that asks has its own log."""


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """Serve recorded answers from a thread while the block runs; yield the base URL."""
    server = _Server(answers)
    thread = threading.Thread(target=server.serve_forever, name="stand-in", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
