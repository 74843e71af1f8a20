"""The websocket client: handshake answers, frames in any pieces, and bytes that are no websocket."""
import asyncio
import base64
import hashlib
import random
import struct

from agent.websocket import GUID, Refused, Websocket
from agent.wire import MESSAGE_BYTES
from test.agent.kit import Case


class FakeTransport:
    def __init__(self):
        self.written = b""
        self.closing = False

    def set_write_buffer_limits(self, high):
        self.high = high

    def write(self, data):
        self.written += bytes(data)

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True

    abort = close


def frame(first, payload):
    size = len(payload)
    head = struct.pack(">BB", first, size) if size < 126 else struct.pack(">BBH", first, 126, size) if size < 65536 else struct.pack(">BBQ", first, 127, size)
    return head + payload


class Frames(Case):
    def connect(self, **changed):
        made = Websocket("portal", "/tunnel/v1", [("Authorization", "Bearer k")])
        made.connection_made(FakeTransport())
        self.request = made.transport.written.decode()
        made.transport.written = b""
        accept = base64.b64encode(hashlib.sha1(made.key + GUID).digest()).decode()
        values = {"status": "101 Switching Protocols", "accept": accept, "protocol": "jtun.v1"}
        values.update(changed)
        self.head = "HTTP/1.1 %(status)s\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %(accept)s\r\nSec-WebSocket-Protocol: %(protocol)s\r\n\r\n" % values
        return made

    def open(self):
        made = self.connect()
        made.data_received(self.head.encode())
        self.messages = []
        made.attach(self.messages.append, None)
        return made

    async def test_the_handshake_asks_for_jtun_v1_with_the_given_headers(self):
        made = self.open()
        self.assertTrue(made.opened.done())
        self.assertTrue(self.request.startswith("GET /tunnel/v1 HTTP/1.1\r\nHost: portal\r\n"))
        for line in ("Sec-WebSocket-Protocol: jtun.v1", "Sec-WebSocket-Version: 13", "Authorization: Bearer k"):
            self.assertIn("\r\n%s\r\n" % line, self.request)

    async def test_another_accept_key_or_subprotocol_is_refused(self):
        for changed in ({"accept": "AAAA"}, {"protocol": "chat"}, {"protocol": ""}):
            made = self.connect(**changed)
            made.data_received(self.head.encode())
            self.assertIsInstance(made.opened.exception(), ConnectionError)
            self.assertTrue(made.transport.closing)

    async def test_a_refusal_carries_status_and_body_however_it_is_framed(self):
        for head, body in (
            (b"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\n", b"gone"),
            (b"HTTP/1.1 410 Gone\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\ngone\r\n0\r\n\r\n"),
            (b"HTTP/1.1 410 Gone\r\n\r\n", b"gone"),
        ):
            made = self.connect()
            made.data_received(head + body[:2])
            made.data_received(body[2:])
            made.eof_received()
            self.assertIsInstance(made.opened.exception(), Refused)
            self.assertEqual((made.opened.exception().status, made.opened.exception().body), (410, b"gone"))

    async def test_messages_arrive_whole_however_they_are_cut(self):
        stream = frame(0x82, b"one") + frame(0x02, b"tw") + frame(0x89, b"p") + frame(0x80, b"o") + frame(0x82, b"x" * 70000) + frame(0x82, b"")
        for size in (1, 2, 7, 1000, len(stream)):
            made = self.open()
            for start in range(0, len(stream), size):
                made.data_received(stream[start : start + size])
            self.assertEqual(self.messages, [b"one", b"two", b"x" * 70000, b""])
            self.assertEqual(made.transport.written, b"\x8a\x81\0\0\0\0p")
            self.assertEqual(len(made.buffer), 0)

    async def test_frames_that_come_with_the_handshake_wait_until_somebody_listens(self):
        made = self.connect()
        made.data_received(self.head.encode() + frame(0x82, b"early"))
        messages = []
        made.attach(messages.append, None)
        self.assertEqual(messages, [b"early"])

    async def test_what_breaks_the_protocol_closes_with_1002(self):
        for data in (
            b"\x82\x81\0\0\0\0x", frame(0xC2, b"x"), frame(0x81, b"text"), frame(0x80, b"continued from nothing"), frame(0x02, b"a") + frame(0x82, b"b"),
            frame(0x09, b"ping in parts"), frame(0x89, b"x" * 126), b"\x82\x7f" + struct.pack(">Q", MESSAGE_BYTES + 1), frame(0x83, b""),
            frame(0x02, b"x" * MESSAGE_BYTES) + frame(0x80, b"x"),
        ):
            made = self.open()
            made.data_received(data)
            self.assertTrue(made.transport.closing, data[:20])
            self.assertIn(b"\x03\xea", made.transport.written)
            self.assertEqual(self.messages, [])

    async def test_a_message_at_the_limit_is_taken(self):
        made = self.open()
        made.data_received(frame(0x82, b"x" * MESSAGE_BYTES))
        self.assertEqual(len(self.messages[0]), MESSAGE_BYTES)

    async def test_a_close_frame_is_answered_once(self):
        made = self.open()
        made.data_received(frame(0x88, b"\x03\xe8bye") + frame(0x82, b"late"))
        self.assertEqual(made.transport.written, b"\x88\x82\0\0\0\0\x03\xe8")
        self.assertTrue(made.transport.closing)
        self.assertEqual(self.messages, [])

    async def test_random_bytes_never_raise(self):
        source = random.Random(7)
        for _round in range(3000):
            made = self.open() if source.random() < 0.8 else self.connect()
            made.on_message = lambda message: None
            for _piece in range(source.randrange(1, 6)):
                data = bytearray(source.getrandbits(8) for _ in range(source.randrange(30)))
                if data and source.random() < 0.6:
                    data[0] = source.choice((0x82, 0x89, 0x02, 0x80))
                made.data_received(bytes(data))
            made.eof_received()
            made.connection_lost(None)
            self.assertTrue(made.closed.done())

    async def test_sizes_are_written_as_rfc_6455_says_with_a_zero_mask(self):
        made = self.open()
        for size, head in ((125, b"\x82\xfd"), (126, b"\x82\xfe\0\x7e"), (65535, b"\x82\xfe\xff\xff"), (65536, b"\x82\xff" + struct.pack(">Q", 65536))):
            made.transport.written = b""
            made.send(b"12345678", b"x" * (size - 8))
            self.assertEqual(made.transport.written, head + b"\0\0\0\0" + b"12345678" + b"x" * (size - 8))
