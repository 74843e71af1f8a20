"""Streams: half-close, credit, limits, round robin, acknowledgements, and frames that break a rule. The app end is a real unix socket."""
import asyncio
import json
import os
import random
import socket
import struct

from agent import wire
from agent.mux import Mux, dial_unix
from agent.wire import ProtocolError
from test.agent.kit import Case


class FakeWebsocket:
    def __init__(self):
        self.sent = []
        self.blocked = False

    def send(self, head, payload=b""):
        kind, stream, body = wire.decode(head + bytes(payload))
        self.sent.append((kind, stream, bytes(body)))

    def of(self, kind, stream=None):
        return [body for k, s, body in self.sent if k == kind and (stream is None or s == stream)]

    def data(self, stream):
        return b"".join(self.of(wire.DATA, stream))


class Streams(Case):
    async def asyncSetUp(self):
        self.path = os.path.join(self.folder(), "s")
        self.clients = []
        self.server = await asyncio.start_unix_server(self.accept, self.path)
        self.allowed = True
        self.ctrl = []
        self.gone = 0
        self.socket = FakeWebsocket()
        self.mux = Mux(self.socket, self.path, self.ctrl.append, self.on_goaway, lambda: self.allowed)
        self.addAsyncCleanup(self.close)

    def on_goaway(self):
        self.gone += 1

    async def accept(self, reader, writer):
        self.clients.append((reader, writer))

    async def close(self):
        self.mux.close()
        self.server.close()
        for _reader, writer in self.clients:
            writer.transport.abort()

    def take(self, kind, stream=0, payload=b""):
        self.mux.on_message(wire.encode(kind, stream, payload))

    def hello(self, window=262144):
        self.take(wire.HELLO, 0, json.dumps({"v": 1, "window": window, "maxStreams": 1024}).encode())

    async def open(self, number=1, **kwargs):
        if self.mux.peer_window is None:
            self.hello(**kwargs)
        self.take(wire.OPEN, number, b"app")
        count = len(self.clients)
        await self.until(lambda: len(self.clients) > count and self.mux.streams[number].transport, what="the app's end")
        return self.clients[-1]

    async def test_bytes_go_both_ways_and_may_follow_open_at_once(self):
        self.hello()
        self.take(wire.OPEN, 1, b"app")
        self.take(wire.DATA, 1, b"hel")
        self.take(wire.DATA, 1, b"lo")
        await self.until(lambda: self.clients)
        reader, writer = self.clients[0]
        self.assertEqual(await reader.readexactly(5), b"hello")
        writer.write(b"answer")
        await self.until(lambda: self.socket.data(1) == b"answer")

    async def test_end_is_a_half_close_in_each_direction(self):
        reader, writer = await self.open()
        self.take(wire.DATA, 1, b"question")
        self.take(wire.END, 1)
        self.assertEqual(await reader.read(), b"question")  # the app sees EOF
        writer.write(b"late answer")
        await self.until(lambda: self.socket.data(1) == b"late answer")
        self.assertEqual(self.socket.of(wire.END), [])
        writer.write_eof()
        await self.until(lambda: self.socket.of(wire.END, 1))
        await self.until(lambda: not self.mux.streams)
        self.assertEqual(self.socket.of(wire.RESET), [])

    async def test_the_app_may_end_first_and_still_read(self):
        reader, writer = await self.open()
        writer.write(b"x")
        writer.write_eof()
        await self.until(lambda: self.socket.of(wire.END, 1))
        self.take(wire.DATA, 1, b"more")
        self.take(wire.END, 1)
        self.assertEqual(await reader.read(), b"more")
        await self.until(lambda: not self.mux.streams)

    async def test_end_arrives_even_when_it_came_before_the_connection_was_made(self):
        self.hello()
        for kind, payload in ((wire.OPEN, b"app"), (wire.DATA, b"all"), (wire.END, b"")):
            self.take(kind, 1, payload)
        await self.until(lambda: self.clients)
        self.assertEqual(await self.clients[0][0].read(), b"all")

    async def test_an_app_that_closes_hard_is_a_reset_and_a_reset_closes_the_app_end(self):
        _reader, writer = await self.open(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.take(wire.DATA, 1, b"unread")
        await asyncio.sleep(0.02)
        writer.transport.abort()
        await self.until(lambda: self.socket.of(wire.RESET, 1) or self.socket.of(wire.END, 1))
        self.take(wire.DATA, 1, b"further")
        await self.until(lambda: self.socket.of(wire.RESET, 1) == [wire.u32(wire.CONNRESET)], what="RESET reset")
        reader, _writer = await self.open(3)
        self.take(wire.RESET, 3, wire.u32(3))
        with self.assertRaises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        self.assertEqual(self.mux.streams, {})

    async def test_only_the_target_app_can_be_opened(self):
        self.hello()
        for number, target in ((1, b"interlink"), (3, b"/etc/passwd"), (5, b"127.0.0.1:22"), (7, b"app\0"), (9, b"App"), (11, b"\xff")):
            self.take(wire.OPEN, number, target)
            self.assertEqual(self.socket.of(wire.RESET, number), [wire.u32(wire.FORBIDDEN)])
        self.assertEqual(self.mux.streams, {})

    async def test_without_a_listener_the_stream_is_refused_and_while_ending_too(self):
        self.server.close()
        os.unlink(self.path)
        self.hello()
        self.take(wire.OPEN, 1, b"app")
        await self.until(lambda: self.socket.of(wire.RESET, 1) == [wire.u32(wire.REFUSED)])
        self.allowed = False
        self.take(wire.OPEN, 3, b"app")
        self.assertEqual(self.socket.of(wire.RESET, 3), [wire.u32(wire.REFUSED)])

    async def test_a_listener_that_does_not_accept_is_a_timeout(self):
        path = os.path.join(self.folder(), "full")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(0)
        self.addCleanup(listener.close)
        held = [await dial_unix(path, 1)]
        with self.assertRaises(asyncio.TimeoutError):
            while True:
                held.append(await dial_unix(path, 0.05))
        for one in held:
            one.close()
        self.mux.socket_path = path
        wanted = asyncio.TimeoutError()

        async def timed_out(*_arguments):
            raise wanted

        self.addCleanup(setattr, __import__("agent.mux").mux, "dial_unix", dial_unix)
        setattr(__import__("agent.mux").mux, "dial_unix", timed_out)
        self.hello()
        self.take(wire.OPEN, 1, b"app")
        await self.until(lambda: self.socket.of(wire.RESET, 1) == [wire.u32(wire.TIMEOUT)])

    async def test_no_more_is_sent_than_the_peer_gave_credit_for(self):
        _reader, writer = await self.open(window=65536)
        writer.write(b"x" * 200000)
        await self.until(lambda: len(self.socket.data(1)) == 65536)
        await asyncio.sleep(0.03)
        self.assertEqual(len(self.socket.data(1)), 65536)
        self.assertLess(len(self.mux.streams[1].out), 200000 - 65536)  # the rest waits in the app, not here
        self.take(wire.WINDOW, 1, wire.u32(1000))
        await self.until(lambda: len(self.socket.data(1)) == 66536)
        self.take(wire.WINDOW, 1, wire.u32(1000000))
        writer.write_eof()
        await self.until(lambda: self.socket.of(wire.END, 1))
        self.assertEqual(self.socket.data(1), b"x" * 200000)
        self.assertLessEqual(max(map(len, self.socket.of(wire.DATA, 1))), wire.QUANTUM_BYTES)

    async def test_credit_comes_back_when_the_app_reads_and_only_then(self):
        reader, _writer = await self.open()
        reader._transport.pause_reading()
        sent = 0
        while self.mux.streams[1].receive_credit >= 65536 and sent < 20000000:
            self.take(wire.DATA, 1, b"x" * 65536)
            sent += 65536
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        given = sum(struct.unpack(">I", body)[0] for body in self.socket.of(wire.WINDOW, 1))
        self.assertLess(given, wire.FULL_WINDOW_BYTES * 2)
        self.assertEqual(wire.INITIAL_WINDOW_BYTES + given - sent, self.mux.streams[1].receive_credit)
        before = len(self.socket.of(wire.WINDOW, 1))
        reader._transport.resume_reading()
        self.assertEqual(len(await reader.readexactly(sent)), sent)
        await self.until(lambda: len(self.socket.of(wire.WINDOW, 1)) > before)

    async def test_one_byte_past_the_credit_resets_only_that_stream(self):
        await self.open(1)
        await self.open(3)
        for number, past in ((1, 0), (3, 1)):
            stream = self.mux.streams[number]
            stream.grant = lambda: None
            size = stream.receive_credit + past
            for start in range(0, size, 65536):
                self.take(wire.DATA, number, b"x" * min(65536, size - start))
        self.assertEqual(self.socket.of(wire.RESET, 1), [])
        self.assertEqual(self.socket.of(wire.RESET, 3), [wire.u32(wire.PROTOCOL)])
        self.assertEqual(list(self.mux.streams), [1])

    async def test_credit_past_31_bits_and_a_second_end_reset_the_stream(self):
        await self.open(1)
        self.take(wire.WINDOW, 1, wire.u32(0x7FFFFFFF))
        await self.open(3)
        self.take(wire.END, 3)
        self.take(wire.END, 3)
        await self.open(5)
        self.take(wire.END, 5)
        self.take(wire.DATA, 5, b"after the end")
        for number in (1, 3, 5):
            self.assertEqual(self.socket.of(wire.RESET, number), [wire.u32(wire.PROTOCOL)])

    async def test_the_window_is_large_for_few_streams_and_small_beyond_16(self):
        self.hello()
        await self.open(1)
        self.assertEqual(self.mux.streams[1].receive_credit, wire.FULL_WINDOW_BYTES)
        for number in range(3, 35, 2):
            await self.open(number)
        self.assertEqual(len(self.mux.streams), 17)
        self.assertEqual(self.mux.window_target(), wire.INITIAL_WINDOW_BYTES)
        self.assertEqual(self.mux.streams[33].receive_credit, wire.INITIAL_WINDOW_BYTES)
        given = sum(stream.receive_credit for stream in self.mux.streams.values())
        self.assertLessEqual(given, wire.TUNNEL_BYTES)

    async def test_1024_streams_are_taken_and_the_next_is_too_many(self):
        self.hello()
        self.mux.connect = self.never
        for number in range(1, 2 * wire.MAX_STREAMS, 2):
            self.take(wire.OPEN, number, b"app")
        self.assertEqual(self.socket.of(wire.RESET), [])
        self.take(wire.OPEN, 2 * wire.MAX_STREAMS + 1, b"app")
        self.assertEqual(self.socket.of(wire.RESET), [wire.u32(wire.TOO_MANY)])
        self.assertEqual(len(self.mux.streams), wire.MAX_STREAMS)

    async def never(self, stream):
        pass

    async def test_streams_take_turns(self):
        ends = [await self.open(number) for number in (1, 3)]
        self.socket.blocked = True
        for _reader, writer in ends:
            writer.write(b"x" * 120000)
        await self.until(lambda: all(len(stream.out) >= 65536 for stream in self.mux.streams.values()))
        self.socket.blocked = False
        self.mux.pump()
        await self.until(lambda: all(len(self.socket.data(number)) == 120000 for number in (1, 3)))
        order = [stream for kind, stream, _body in self.socket.sent if kind == wire.DATA]
        self.assertIn(order[:4], ([1, 3, 1, 3], [3, 1, 3, 1]))

    async def test_nothing_is_sent_while_the_socket_is_full(self):
        _reader, writer = await self.open()
        self.socket.blocked = True
        writer.write(b"x")
        await asyncio.sleep(0.03)
        self.assertEqual(self.socket.of(wire.DATA), [])
        self.socket.blocked = False
        self.mux.pump()
        self.assertEqual(self.socket.data(1), b"x")

    async def test_receipt_is_acknowledged_after_16_frames_or_64_kib_or_5_ms(self):
        self.hello()
        self.mux.acknowledge()
        self.socket.sent.clear()
        for _count in range(15):
            self.take(wire.CTRL, 0, b"{}")
        self.assertEqual(self.socket.of(wire.ACK), [])
        self.take(wire.CTRL, 0, b"{}")
        self.assertEqual(self.socket.of(wire.ACK), [wire.u32(17)])
        for _count in range(4):
            self.take(wire.CTRL, 0, b'"' + b"x" * 16300 + b'"')
        self.assertEqual(len(self.socket.of(wire.ACK)), 1)
        self.take(wire.CTRL, 0, b'"' + b"x" * 1000 + b'"')
        self.assertEqual(self.socket.of(wire.ACK)[1:], [wire.u32(22)])
        self.take(wire.CTRL, 0, b"{}")
        await self.until(lambda: self.socket.of(wire.ACK)[2:] == [wire.u32(23)])

    async def test_ping_pong_and_ack_are_not_counted_and_ping_is_answered(self):
        self.hello()
        before = self.mux.received
        self.take(wire.PING, 0, b"12345678")
        self.take(wire.PONG, 0, b"12345678")
        self.take(wire.ACK, 0, wire.u32(5))
        self.assertEqual((self.mux.received, self.mux.acked), (before, 5))
        self.assertEqual(self.socket.of(wire.PONG), [b"12345678"])

    async def test_acknowledged_frames_are_known_also_when_the_count_wraps(self):
        self.mux.acked = 3
        self.assertTrue(self.mux.has_acked(3) and self.mux.has_acked(0xFFFFFFFF))
        self.assertFalse(self.mux.has_acked(4))

    async def test_what_breaks_the_protocol_is_named(self):
        for first in (wire.OPEN, wire.CTRL, wire.PING):
            with self.assertRaises(ProtocolError):
                Mux(self.socket, self.path, None, None, None).on_message(wire.encode(first, 1 if first == wire.OPEN else 0, b"12345678"))
        hellos = ({"v": 2}, {"v": True}, {"v": 1.0}, {"window": 65535}, {"window": "262144"}, {"window": True}, {"maxStreams": 0}, {"maxStreams": None})
        good = {"v": 1, "window": 262144, "maxStreams": 1024}
        bad = [json.dumps({**good, **hello}).encode() for hello in hellos]
        for hello in (b"[]", b"{}", b"nonsense", b'{"v":1,"window":262144,"maxStreams":NaN}', b"[" * 16000, *bad):
            with self.assertRaises(ProtocolError):
                Mux(self.socket, self.path, None, None, None).on_message(wire.encode(wire.HELLO, 0, hello))
        await self.open(3)
        for kind, stream, payload in (
            (wire.HELLO, 0, b"{}"), (wire.OPEN, 3, b"app"), (wire.OPEN, 1, b"app"), (wire.OPEN, 4, b"app"), (wire.DATA, 5, b"x"), (wire.WINDOW, 2, wire.u32(1)),
            (wire.CTRL, 0, b"{x"), (wire.CTRL, 0, b"\xff\xff"), (wire.CTRL, 0, b"[" * 16000),
        ):
            with self.assertRaises(ProtocolError):
                self.take(kind, stream, payload)
        self.take(wire.DATA, 1, b"of a stream below the highest: it may have been closed a moment ago")

    async def test_random_frames_never_raise_anything_else_and_leave_nothing_behind(self):
        source = random.Random(3)
        for _round in range(200):
            mux = Mux(FakeWebsocket(), self.path, self.ctrl.append, self.on_goaway, lambda: True)
            mux.on_message(wire.encode(wire.HELLO, 0, b'{"v":1,"window":65536,"maxStreams":1}'))
            try:
                for _frame in range(60):
                    kind = source.choice((wire.OPEN, wire.OPEN, wire.DATA, wire.DATA, wire.WINDOW, wire.END, wire.RESET, wire.CTRL, wire.ACK, wire.GOAWAY))
                    payload = {wire.OPEN: b"app", wire.CTRL: b"{}", wire.END: b""}.get(kind, bytes(source.getrandbits(8) for _ in range(4)))
                    mux.on_message(wire.encode(kind, source.randrange(1, 12) if wire.RULES[kind][0] else 0, payload))
                    if source.random() < 0.2:
                        await asyncio.sleep(0)
            except ProtocolError:
                pass
            mux.close()
            await asyncio.sleep(0)
            self.assertEqual(mux.streams, {})

    async def test_goaway_is_told_on(self):
        self.hello()
        self.take(wire.GOAWAY, 0, wire.u32(1) + b"restart")
        self.assertEqual(self.gone, 1)

    async def test_a_ctrl_message_that_is_too_large_is_not_sent(self):
        self.assertIsNotNone(self.mux.ctrl({"x": "y" * (wire.CTRL_BYTES - 8)}))
        self.assertIsNone(self.mux.ctrl({"x": "y" * (wire.CTRL_BYTES - 7)}))
