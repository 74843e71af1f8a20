"""Streams over one websocket: credit, round robin, receipt ACKs, PING, GOAWAY, RESET, CTRL. Resume would start from `sent` and `acked`."""
import asyncio
import json
import socket
import struct
import time
from collections import deque

from .stream import Stream
from .wire import (
    ACK, ACK_BYTES, ACK_FRAMES, ACK_SECONDS, CTRL, CTRL_BYTES, DATA, END, FORBIDDEN, FULL_WINDOW_BYTES, FULL_WINDOW_STREAMS, GOAWAY, HELLO,
    INITIAL_WINDOW_BYTES, LOCAL_DIAL_SECONDS, MAX_STREAMS, OPEN, PING, PONG, REFUSED, RESET, TIMEOUT, TOO_MANY, TUNNEL_BYTES, UNCOUNTED, WINDOW,
    ProtocolError, decode, header, u32,
)


class Mux:
    """The agent's end: it accepts streams to its one target, `app`, and opens none."""

    def __init__(self, websocket, socket_path, on_ctrl, on_goaway, may_open):
        self.websocket = websocket
        self.socket_path = socket_path
        self.on_ctrl = on_ctrl
        self.on_goaway = on_goaway
        self.may_open = may_open
        self.streams = {}
        self.peer_window = None
        self.highest = 0
        self.ring = deque()
        self.queued = set()
        self.pumping = False
        self.received = self.sent = self.acked = 0  # counted frames, mod 2^32
        self.ack_frames = self.ack_bytes = 0
        self.ack_timer = None
        self.dead = False

    # ---- receiving

    def on_message(self, message):
        """One message of the peer; raises ProtocolError."""
        kind, number, payload = decode(message)
        if kind not in UNCOUNTED:
            self.count(len(message))
        if self.peer_window is None:
            if kind != HELLO:
                raise ProtocolError("frame type %d before HELLO" % kind)
            self.on_hello(payload)
        elif kind in (DATA, WINDOW, END, RESET):
            self.on_stream_frame(kind, number, payload)
        elif kind == OPEN:
            self.on_open(number, bytes(payload).decode("utf-8", "replace"))
        elif kind == ACK:
            self.acked = struct.unpack_from(">I", payload)[0]
        elif kind == PING:
            self.frame(PONG, 0, payload)
        elif kind == CTRL:
            self.on_ctrl(parse(payload))
        elif kind == GOAWAY:
            self.on_goaway()
        elif kind == HELLO:
            raise ProtocolError("a second HELLO")

    def on_hello(self, payload):
        hello = parse(payload)
        hello = hello if isinstance(hello, dict) else {}
        version, window, streams = (hello.get(name) for name in ("v", "window", "maxStreams"))
        if type(version) is not int or version != 1:
            raise ProtocolError("HELLO without version 1")
        if type(window) is not int or not 65536 <= window <= 16777216:
            raise ProtocolError("HELLO without a window")
        if type(streams) is not int or not 1 <= streams <= 65536:
            raise ProtocolError("HELLO without a number of streams")
        self.peer_window = window

    def on_open(self, number, target):
        if number % 2 != 1 or number <= self.highest:
            raise ProtocolError("OPEN with stream %d out of order" % number)
        self.highest = number
        if target != "app":
            self.frame(RESET, number, u32(FORBIDDEN))
        elif not self.may_open():
            self.frame(RESET, number, u32(REFUSED))
        elif len(self.streams) >= MAX_STREAMS:
            self.frame(RESET, number, u32(TOO_MANY))
        else:
            stream = self.streams[number] = Stream(self, number, self.peer_window)
            stream.dialling = asyncio.ensure_future(self.connect(stream))

    async def connect(self, stream):
        try:
            local = await dial_unix(self.socket_path, LOCAL_DIAL_SECONDS)
            await asyncio.get_running_loop().create_unix_connection(lambda: stream, sock=local)
        except asyncio.TimeoutError:
            stream.reset(TIMEOUT)
        except OSError:
            stream.reset(REFUSED)

    def on_stream_frame(self, kind, number, payload):
        stream = self.streams.get(number)
        if stream is None:
            # One that we have closed a moment ago may still get frames; one that never was may not.
            if number % 2 != 1 or number > self.highest:
                raise ProtocolError("frame type %d for stream %d, which was never opened" % (kind, number))
        elif kind == DATA:
            stream.on_data(payload)
        elif kind == WINDOW:
            stream.on_window(struct.unpack_from(">I", payload)[0])
        elif kind == END:
            stream.on_end()
        else:
            stream.on_reset()

    # ---- sending

    def frame(self, kind, number, payload=b""):
        if self.dead:
            return
        if kind not in UNCOUNTED:
            self.sent = (self.sent + 1) & 0xFFFFFFFF
        self.websocket.send(header(kind, number, len(payload)), payload)

    def ctrl(self, message):
        """Sends CTRL; returns the frame's number, or None when it is too large."""
        payload = json.dumps(message, separators=(",", ":")).encode()
        if len(payload) > CTRL_BYTES:
            return None
        self.frame(CTRL, 0, payload)
        return self.sent

    def has_acked(self, number):
        return (self.acked - number) & 0xFFFFFFFF < 0x80000000

    def goaway(self, reason, text):
        self.frame(GOAWAY, 0, u32(reason) + text.encode()[:200])

    def ready(self, stream):
        if stream not in self.queued:
            self.queued.add(stream)
            self.ring.append(stream)
        self.pump()

    def pump(self):
        """Round robin over streams that have something to send, while the socket takes it."""
        if self.pumping:
            return
        self.pumping = True
        while self.ring and not self.websocket.blocked and not self.dead:
            stream = self.ring.popleft()
            self.queued.discard(stream)
            if stream.pump() and stream not in self.queued:
                self.queued.add(stream)
                self.ring.append(stream)
        self.pumping = False

    def window_target(self):
        """Credit that a stream should have: the full window while few are open and the tunnel's total allows it."""
        if len(self.streams) > FULL_WINDOW_STREAMS:
            return INITIAL_WINDOW_BYTES
        granted = sum(stream.receive_credit for stream in self.streams.values())
        return FULL_WINDOW_BYTES if granted <= TUNNEL_BYTES - FULL_WINDOW_BYTES else INITIAL_WINDOW_BYTES

    def forget(self, stream):
        self.streams.pop(stream.number, None)

    def count(self, size):
        self.received = (self.received + 1) & 0xFFFFFFFF
        self.ack_frames += 1
        self.ack_bytes += size
        if self.ack_frames >= ACK_FRAMES or self.ack_bytes >= ACK_BYTES:
            self.acknowledge()
        elif self.ack_timer is None:
            self.ack_timer = asyncio.get_running_loop().call_later(ACK_SECONDS, self.acknowledge)

    def acknowledge(self):
        if self.ack_timer is not None:
            self.ack_timer.cancel()
            self.ack_timer = None
        self.ack_frames = self.ack_bytes = 0
        self.frame(ACK, 0, u32(self.received))

    def close_streams(self):
        """Ends all streams: the app sees its clients leave, so that a collaboration room saves."""
        for stream in list(self.streams.values()):
            stream.reset(REFUSED)

    def close(self):
        """The websocket has gone: so have all streams."""
        self.dead = True
        if self.ack_timer is not None:
            self.ack_timer.cancel()
        for stream in list(self.streams.values()):
            stream.on_reset()


async def dial_unix(path, seconds):
    """A connected non-blocking socket. A full backlog answers EAGAIN at once (unix(7)), which asyncio takes for success."""
    deadline = time.monotonic() + seconds
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    local.setblocking(False)
    try:
        while True:
            try:
                local.connect(path)
                return local
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise asyncio.TimeoutError()
            await asyncio.sleep(0.01)
    except BaseException:
        local.close()
        raise


def parse(payload):
    try:
        return json.loads(bytes(payload).decode("utf-8"), parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise ProtocolError("a payload that is not JSON")


def no_constant(name):
    """NaN and Infinity are Python's own (RFC 8259 section 6)."""
    raise ValueError(name)
