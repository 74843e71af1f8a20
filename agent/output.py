"""The app's output: passed on line by line, the last lines kept. A full pipe behind us never stops the agent."""
import asyncio
import os
import select
from collections import deque

LINE_BYTES = 4000
TAIL_LINES = 20
PIECE_BYTES = select.PIPE_BUF - 128


class Output(asyncio.Protocol):
    def __init__(self, descriptor=1):
        self.descriptor = descriptor
        self.tail = deque(maxlen=TAIL_LINES)
        self.rest = b""
        self.dropped = 0
        self.done = asyncio.get_running_loop().create_future()
        self.poll = select.poll()
        self.poll.register(descriptor, select.POLLOUT)

    def data_received(self, data):
        self.write(data)
        parts = (self.rest + data).split(b"\n")
        self.rest = parts.pop()[-LINE_BYTES:]
        for part in parts[-TAIL_LINES:]:
            self.keep(part)

    def connection_lost(self, exc):
        if self.rest:
            self.keep(self.rest)
        if not self.done.done():
            self.done.set_result(None)

    def keep(self, part):
        self.tail.append(part[-LINE_BYTES:].decode("utf-8", "replace").rstrip("\r"))

    def write(self, data):
        """At most PIPE_BUF at a time and only where poll(2) says so: such a write does not block."""
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            lost = b"\n[%d bytes of output left out here: nobody was reading]\n" % self.dropped if self.dropped else b""
            events = self.poll.poll(0)
            try:
                if not events or not events[0][1] & select.POLLOUT:
                    raise BlockingIOError()
                os.write(self.descriptor, lost + piece)
                self.dropped = 0
            except OSError:
                self.dropped += len(piece)

    def last_lines(self, most=3500):
        return "\n".join(self.tail)[-most:]
