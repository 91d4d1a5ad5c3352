"""The server behind every stand-in of a provider."""

from http.server import ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Take as many connections at once as a burst of calls opens; the default takes five."""

    request_queue_size = 256
