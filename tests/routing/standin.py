"""A Messages API on loopback that answers what a test asks for."""

import contextlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from threading import Thread

from tests.local_http import Server

MESSAGE = {
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "recorded"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}

#: Replies of status 200 that are no message, or none that can be stored.
NO_MESSAGES = {
    "not json": b"<html>",
    "no content": b"{}",
    "a number that is none": b'{"content": [], "usage": {}, "x": NaN}',
    "usage is a list": b'{"content": [], "usage": [1]}',
    "a count as text": b'{"content": [], "usage": {"input_tokens": "3"}}',
    "a negative count": b'{"content": [], "usage": {"output_tokens": -1}}',
    "a count too large": b'{"content": [], "usage": {"output_tokens": 3000000000}}',
    "text is no text": b'{"content": [{"type": "text", "text": 5}]}',
    "nested too deeply": b'{"content": [], "x": ' + b"[" * 700 + b"]" * 700 + b"}",
}


@contextlib.contextmanager
def answering(reply_for: Callable[[str], int | bytes], seen: list | None = None) -> Iterator[str]:
    """Serve until the block ends.

    Args:
        reply_for: gets the model that is asked; returns a status, or the body of a 200.
        seen: gets the headers of every call.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            if seen is not None:
                seen.append({name.lower(): value for name, value in self.headers.items()})
            model = json.loads(self.rfile.read(int(self.headers["content-length"])))["model"]
            reply = reply_for(model)
            status = 200 if isinstance(reply, bytes) else reply
            message = json.dumps(MESSAGE if status == 200 else {"type": "error"}).encode()
            body = reply if isinstance(reply, bytes) else message
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if status == 529:
                self.send_header("retry-after", "inf")
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # who asked may have given up
                self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
