"""A small SMTP server: takes mail with a login, or refuses it."""

import asyncio
import threading
from email import message_from_bytes, policy


class Smtp:
    """Listens on the loopback; `mails` are (recipients, message); `refuses` answers 451."""

    def __init__(self):
        self.mails, self.logins, self.refuses = [], [], False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        made = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(made, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self):
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader, writer):
        to = []
        writer.write(b"220 ready\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            if verb == "EHLO":
                writer.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif verb == "AUTH":
                self.logins.append(line.split()[-1])
                writer.write(b"235 fine\r\n")
            elif verb == "RCPT":
                to.append(line.partition("<")[2].partition(">")[0])
                writer.write(b"451 later\r\n" if self.refuses else b"250 fine\r\n")
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                body = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append((to, message_from_bytes(body[:-5], policy=policy.default)))
                writer.write(b"250 fine\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 fine\r\n")
        writer.close()
