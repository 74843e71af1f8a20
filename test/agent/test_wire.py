"""Frames and bodies: the codec and the multiplexer against the vectors that the gateway's tests read too, limits, and random bytes."""
import json
import os
import random
import re
import struct
import sys
import types
import unittest

from agent import wire
from agent.mux import Mux
from test.agent.kit import ROOT, AgentProcess, Case, Gateway

with open(os.path.join(ROOT, "test", "vectors", "jtun.json"), encoding="utf-8") as file:
    VECTORS = json.load(file)
HELLO = b'{"v":1,"window":262144,"maxStreams":1024}'


def payload_of(vector):
    if "xs" in vector:
        return b"x" * vector["xs"]
    return vector["text"].encode() if "text" in vector else bytes.fromhex(vector.get("hex", ""))


def message_of(vector):
    return bytes.fromhex(vector["header"]) + payload_of(vector)


def read_frame(text):
    """A frame of a conversation: type, stream, payload."""
    name, stream, payload = (text.split(" ", 2) + [""])[:3]
    return getattr(wire, name), int(stream), bytes.fromhex(payload[1:]) if payload.startswith("#") else payload.encode()


def body_of(vector):
    """What the receiving end reads."""
    return vector["text"].encode() if "text" in vector else json.dumps(vector["body"]).encode()


class Sent:
    """A websocket that keeps what is sent."""

    blocked = False

    def __init__(self):
        self.frames = []

    def send(self, head, payload=b""):
        self.frames.append(wire.decode(head + bytes(payload)))


async def never(_stream):
    """No app is dialled."""


class SharedVectors(Case):
    def test_types_and_reset_codes_are_those_of_the_vectors(self):
        for name, kind in VECTORS["types"].items():
            self.assertEqual(getattr(wire, name), kind, name)
        self.assertEqual(len(VECTORS["types"]), len(wire.RULES))
        codes = (wire.REFUSED, wire.TIMEOUT, wire.CONNRESET, wire.FORBIDDEN, wire.TOO_MANY, wire.PROTOCOL)
        self.assertEqual(dict(zip(("refused", "timeout", "reset", "forbidden", "tooMany", "protocol"), codes)), VECTORS["resetCodes"])

    def test_every_frame_is_made_and_taken(self):
        for vector in VECTORS["frames"]:
            with self.subTest(vector["name"]):
                kind, stream, payload = getattr(wire, vector["type"]), vector["stream"], payload_of(vector)
                self.assertTrue(wire.encode(kind, stream, payload) == message_of(vector))
                found = wire.decode(message_of(vector))
                self.assertTrue((found[0], found[1], bytes(found[2])) == (kind, stream, payload))

    def test_what_is_malformed_is_not_taken_and_not_made(self):
        for vector in VECTORS["malformed"]:
            with self.subTest(vector["name"]):
                with self.assertRaises(wire.ProtocolError):
                    wire.decode(message_of(vector))
                if "type" in vector:
                    with self.assertRaises(wire.ProtocolError):
                        wire.encode(getattr(wire, vector["type"]), vector["stream"], payload_of(vector))

    def test_a_number_is_sent_modulo_2_to_the_32(self):
        for value, wanted in ((0, "00000000"), (1, "00000001"), (0xFFFFFFFF, "ffffffff"), (0x100000000, "00000000"), (0x100000005, "00000005")):
            self.assertEqual(wire.encode(wire.ACK, 0, wire.u32(value)).hex(), "0900000000000000" + wanted)

    def mux(self):
        sent = Sent()
        mux = Mux(sent, "/nowhere", lambda message: None, lambda: None, lambda: True)
        mux.connect = never
        self.addCleanup(mux.close)
        return mux, sent

    async def test_every_conversation_ends_as_it_should(self):
        for talk in VECTORS["conversations"]:
            with self.subTest(talk["name"]):
                mux, sent = self.mux()
                mux.on_message(wire.encode(wire.HELLO, 0, HELLO))
                messages = [wire.encode(*read_frame(text)) for text in talk["receives"]]
                for message in messages[:-1]:
                    mux.on_message(message)
                if "close" in talk:
                    self.assertEqual(talk["close"], 1002)
                    with self.assertRaises(wire.ProtocolError):
                        mux.on_message(messages[-1])
                    continue
                mux.on_message(messages[-1])
                codes = [[stream, struct.unpack(">I", body)[0]] for kind, stream, body in sent.frames if kind == wire.RESET]
                self.assertEqual(codes, [[stream, VECTORS["resetCodes"][code]] for stream, code in talk["resets"]])
                self.assertEqual(len(mux.streams), talk["streams"])

    async def test_the_hello_of_a_gateway_is_taken_or_breaks_the_protocol(self):
        for vector in VECTORS["hello"]["fromGateway"]:
            with self.subTest(vector["name"]):
                mux, _sent = self.mux()
                message = wire.encode(wire.HELLO, 0, body_of(vector))
                if vector["taken"]:
                    mux.on_message(message)
                    self.assertEqual(mux.peer_window, vector["body"]["window"])
                else:
                    with self.assertRaises(wire.ProtocolError):
                        mux.on_message(message)

    def test_ctrl_of_a_gateway_has_an_effect_or_is_ignored(self):
        from agent.main import Agent

        for vector in VECTORS["ctrl"]["fromGateway"]:
            with self.subTest(vector["name"]):
                effects = []
                agent = types.SimpleNamespace(deadline=None, ask_end=lambda *wanted: effects.append(wanted[:2]))
                Agent.on_ctrl(agent, json.loads(body_of(vector)))
                self.assertEqual(bool(effects) or agent.deadline is not None, vector["taken"])
                if vector["taken"] and vector["body"]["kind"] == "stop":
                    self.assertEqual(effects, [("stop", vector["body"]["graceSeconds"])])

    async def test_ctrl_goes_out_as_the_json_of_its_message(self):
        for vector in VECTORS["ctrl"]["fromAgent"]:
            if vector["taken"]:
                mux, sent = self.mux()
                self.assertEqual(mux.ctrl(vector["body"]), 1)
                kind, stream, payload = sent.frames[0]
                self.assertEqual((kind, stream, json.loads(bytes(payload))), (wire.CTRL, 0, vector["body"]))

    def test_every_cause_of_the_agent_is_one_that_the_gateway_takes(self):
        from agent.main import STATUS

        taken = {vector["body"]["cause"] for vector in VECTORS["ctrl"]["fromAgent"] if vector["taken"] and vector["body"]["kind"] == "exit"}
        self.assertEqual(taken, set(STATUS))

    async def test_the_agent_says_hello_phases_and_its_end_in_the_form_of_the_vectors(self):
        gateway = Gateway()
        await gateway.listen()
        self.addAsyncCleanup(gateway.close)
        app = {"kind": "argv", "argv": [sys.executable, "-c", "raise SystemExit(3)"], "readyPath": "/", "rootDir": "/tmp"}
        agent = await AgentProcess(self, gateway.url, app=app).start()
        await agent.status()
        frames = gateway.link.frames
        usual = next(vector["body"] for vector in VECTORS["hello"]["fromAgent"] if vector["taken"])
        self.assertEqual((frames[0][0], shape(json.loads(frames[0][2]))), (wire.HELLO, shape(usual)), agent.text())
        known = [(vector["body"]["kind"], shape(vector["body"])) for vector in VECTORS["ctrl"]["fromAgent"] if vector["taken"]]
        self.assertEqual({message["kind"] for message in gateway.link.ctrl}, {"phase", "exit"})
        for message in gateway.link.ctrl:
            self.assertIn((message["kind"], shape(message)), known)


def shape(value):
    """The names and types of a body, without its values."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return type(value).__name__


class Codec(unittest.TestCase):
    def test_a_frame_survives_the_round_trip_at_the_limit_of_its_payload(self):
        for kind, (of_stream, least, most) in wire.RULES.items():
            for size in {least, most}:
                stream = 7 if of_stream else 0
                message = wire.encode(kind, stream, b"x" * size)
                self.assertEqual(len(message), 8 + size)
                found = wire.decode(message)
                self.assertEqual((found[0], found[1], bytes(found[2])), (kind, stream, b"x" * size))

    def test_a_payload_one_past_a_limit_is_refused_both_ways(self):
        for kind, (of_stream, least, most) in wire.RULES.items():
            stream = 7 if of_stream else 0
            for size in (least - 1, most + 1):
                if size < 0:
                    continue
                with self.assertRaises(wire.ProtocolError):
                    wire.encode(kind, stream, b"x" * size)
                with self.assertRaises(wire.ProtocolError):
                    wire.decode(wire.HEADER.pack(kind, 0, 0, stream) + b"x" * size)

    def test_frames_of_the_connection_have_no_stream_and_frames_of_a_stream_have_one(self):
        for kind, (of_stream, least, _most) in wire.RULES.items():
            with self.assertRaises(wire.ProtocolError):
                wire.decode(wire.HEADER.pack(kind, 0, 0, 0 if of_stream else 1) + b"x" * least)

    def test_unknown_types_flags_reserved_bytes_and_short_messages_are_refused(self):
        for message in (b"", b"\x02\0\0\0\0\0\0", b"\x0b\0\0\0\0\0\0\1", b"\x04\1\0\0\0\0\0\1", b"\x04\0\1\0\0\0\0\1", b"\x04\0\0\1\0\0\0\1"):
            with self.assertRaises(wire.ProtocolError):
                wire.decode(message)

    def test_random_bytes_are_refused_or_decoded_and_nothing_else(self):
        source = random.Random(20)
        for _round in range(20000):
            message = bytearray(source.getrandbits(8) for _ in range(source.randrange(40)))
            if message and source.random() < 0.7:
                message[0] = source.randrange(12)
                message[1:4] = b"\0\0\0"[: len(message) - 1]
            try:
                kind, stream, payload = wire.decode(bytes(message))
            except wire.ProtocolError:
                continue
            self.assertEqual(wire.encode(kind, stream, bytes(payload)), bytes(message))

    def test_limits_and_types_are_those_of_the_contract(self):
        with open(os.path.join(ROOT, "contract", "tunnel.ts"), encoding="utf-8") as file:
            text = file.read()
        numbers = {name: int(value.replace("_", "")) for name, value in re.findall(r"^\s+(\w+): ([\d_]+),$", text, re.M)}
        for name, kind in (("HELLO", wire.HELLO), ("OPEN", wire.OPEN), ("DATA", wire.DATA), ("WINDOW", wire.WINDOW), ("END", wire.END),
                           ("RESET", wire.RESET), ("PING", wire.PING), ("PONG", wire.PONG), ("GOAWAY", wire.GOAWAY), ("ACK", wire.ACK), ("CTRL", wire.CTRL)):
            self.assertEqual(numbers[name], kind, name)
        for name, value in (
            ("payloadBytes", wire.PAYLOAD_BYTES), ("messageBytes", wire.MESSAGE_BYTES), ("ctrlBytes", wire.CTRL_BYTES),
            ("streamsPerTunnel", wire.MAX_STREAMS), ("initialWindowBytes", wire.INITIAL_WINDOW_BYTES), ("windowBytes", wire.FULL_WINDOW_BYTES),
            ("fullWindowStreams", wire.FULL_WINDOW_STREAMS), ("tunnelBytes", wire.TUNNEL_BYTES), ("sendBufferBytes", wire.SEND_BUFFER_BYTES),
            ("quantumBytes", wire.QUANTUM_BYTES), ("handshakeSeconds", wire.HANDSHAKE_SECONDS), ("localDialSeconds", wire.LOCAL_DIAL_SECONDS),
            ("pingSeconds", wire.PING_SECONDS), ("silenceSeconds", wire.SILENCE_SECONDS), ("ackFrames", wire.ACK_FRAMES), ("ackBytes", wire.ACK_BYTES),
            ("ackDelayMilliseconds", wire.ACK_SECONDS * 1000),
        ):
            self.assertEqual(numbers[name], value, name)

    def test_the_exit_statuses_are_those_of_the_contract(self):
        from agent.main import STATUS

        with open(os.path.join(ROOT, "contract", "tunnel.ts"), encoding="utf-8") as file:
            block = re.search(r"agentExit = \{(.*?)\}", file.read(), re.S).group(1)
        wanted = {name: int(value) for name, value in re.findall(r"(\w+): (\d+)", block)}
        camel = {re.sub(r"-(\w)", lambda found: found.group(1).upper(), cause): status for cause, status in STATUS.items()}
        self.assertEqual(camel, wanted)

    def test_the_version_is_that_of_the_package(self):
        from agent.main import VERSION

        with open(os.path.join(ROOT, "package.json"), encoding="utf-8") as file:
            self.assertEqual(VERSION, json.load(file)["version"])
