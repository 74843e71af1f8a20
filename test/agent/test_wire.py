"""Frames: the codec against the shared vectors, its limits, and random bytes."""
import json
import os
import random
import re
import unittest

from agent import wire
from test.agent.kit import ROOT


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
