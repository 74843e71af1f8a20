"""Streams over one websocket: credit, round robin, receipt ACKs, PING, GOAWAY, RESET, CTRL."""
import asyncio
import json
import struct
from collections import deque

from .stream import Stream
from .wire import (
    ACK, ACK_BYTES, ACK_DELAY, ACK_FRAMES, CTRL, CTRL_BYTES, DATA, END, FORBIDDEN, GOAWAY, HELLO, LOCAL_DIAL_SECONDS, MAX_STREAMS, OPEN,
    PING, PONG, REFUSED, RESET, TIMEOUT, TOO_MANY, UNCOUNTED, WINDOW, ProtocolError, decode, encode, encode_number,
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
        self.received = 0
        self.sent = 0
        self.ack_frames = 0
        self.ack_bytes = 0
        self.ack_timer = None
        self.dead = False
        self.tasks = set()

    # ---- receiving

    def on_message(self, message):
        kind, number, payload = decode(message)
        if kind not in UNCOUNTED:
            self.count(len(message))
        if self.peer_window is None:
            if kind != HELLO:
                raise ProtocolError("frame type %d before HELLO" % kind)
            self.on_hello(payload)
        elif kind == HELLO:
            raise ProtocolError("a second HELLO")
        elif kind == PING:
            self.frame(PONG, 0, bytes(payload))
        elif kind == CTRL:
            self.on_ctrl(parse(payload))
        elif kind == GOAWAY:
            self.on_goaway(struct.unpack_from(">I", payload)[0])
        elif kind == OPEN:
            self.on_open(number, bytes(payload).decode("utf-8", "replace"))
        elif kind in (DATA, WINDOW, END, RESET):
            self.on_stream_frame(kind, number, payload)

    def on_hello(self, payload):
        hello = parse(payload)
        window = hello.get("window") if isinstance(hello, dict) else None
        if not isinstance(window, int) or not 65536 <= window <= 16777216 or hello.get("v") != 1:
            raise ProtocolError("HELLO without a version 1 and a window")
        self.peer_window = window

    def on_open(self, number, target):
        if number % 2 != 1 or number <= self.highest:
            raise ProtocolError("OPEN with stream %d out of order" % number)
        self.highest = number
        if target != "app":
            self.number(RESET, number, FORBIDDEN)
        elif not self.may_open():
            self.number(RESET, number, REFUSED)
        elif len(self.streams) >= MAX_STREAMS:
            self.number(RESET, number, TOO_MANY)
        else:
            stream = self.streams[number] = Stream(self, number, self.peer_window)
            task = asyncio.ensure_future(self.connect(stream))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def connect(self, stream):
        try:
            dial = asyncio.get_running_loop().create_unix_connection(lambda: stream, self.socket_path)
            await asyncio.wait_for(dial, LOCAL_DIAL_SECONDS)
        except asyncio.TimeoutError:
            stream.reset(TIMEOUT)
        except OSError:
            stream.reset(REFUSED)

    def on_stream_frame(self, kind, number, payload):
        stream = self.streams.get(number)
        if stream is None:
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
        self.websocket.send(encode(kind, number, payload))

    def number(self, kind, number, value):
        self.frame(kind, number, struct.pack(">I", value & 0xFFFFFFFF))

    def ctrl(self, message):
        payload = json.dumps(message).encode()
        if len(payload) <= CTRL_BYTES:
            self.frame(CTRL, 0, payload)

    def ready(self, stream):
        if stream not in self.queued:
            self.queued.add(stream)
            self.ring.append(stream)
        self.pump()

    def pump(self):
        """Round robin over streams that have something to send, while the socket takes it."""
        while self.ring and not self.websocket.blocked and not self.dead:
            stream = self.ring.popleft()
            self.queued.discard(stream)
            if stream.pump() and stream not in self.queued:
                self.queued.add(stream)
                self.ring.append(stream)

    def forget(self, stream):
        self.streams.pop(stream.number, None)

    def count(self, size):
        self.received = (self.received + 1) & 0xFFFFFFFF
        self.ack_frames += 1
        self.ack_bytes += size
        if self.ack_frames >= ACK_FRAMES or self.ack_bytes >= ACK_BYTES:
            self.acknowledge()
        elif self.ack_timer is None:
            self.ack_timer = asyncio.get_running_loop().call_later(ACK_DELAY, self.acknowledge)

    def acknowledge(self):
        if self.ack_timer is not None:
            self.ack_timer.cancel()
            self.ack_timer = None
        self.ack_frames = self.ack_bytes = 0
        if not self.dead:
            self.websocket.send(encode_number(ACK, 0, self.received))

    def close_streams(self):
        """Ends all streams: the app sees its clients leave, so that a collaboration room saves."""
        for stream in list(self.streams.values()):
            stream.reset(REFUSED)

    def close(self):
        self.dead = True
        if self.ack_timer is not None:
            self.ack_timer.cancel()
        for stream in list(self.streams.values()):
            stream.on_reset()


def parse(payload):
    try:
        return json.loads(bytes(payload).decode("utf-8"))
    except ValueError:
        raise ProtocolError("a payload that is not JSON")
