"""The server behind every stand-in of a provider."""

from http.server import ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Take as many connections at once as a burst of calls opens; the default takes five."""

    request_queue_size = 256

    def serve_forever(self, poll_interval=0.01):
        """Look often whether it shall end: each test that ends it waits for the next look."""
        super().serve_forever(poll_interval)
