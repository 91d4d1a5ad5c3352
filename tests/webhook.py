"""A small HTTP server that takes what a webhook posts, or answers as told."""

import threading
from http.server import BaseHTTPRequestHandler

from tests.local_http import Server


class Receiver:
    """Listens on the loopback; `taken` are (headers, body); `answers` is the next status.

    `meanwhile` is called before each answer.
    """

    def __init__(self):
        self.taken, self.answers = [], 204
        self.meanwhile = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.taken.append((dict(self.headers), body))
                receiver.meanwhile()
                self.send_response(receiver.answers)
                if receiver.answers == 302:
                    self.send_header("location", self.path + "elsewhere/")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/?a=1"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
