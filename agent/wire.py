"""jtun.v1 frames: type u8, flags u8 = 0, reserved u16 = 0, stream u32, payload. One frame = one binary websocket message."""
import struct

HELLO, OPEN, DATA, WINDOW, END, RESET, PING, PONG, GOAWAY, ACK, CTRL = range(11)
REFUSED, TIMEOUT, CONNRESET, FORBIDDEN, TOO_MANY, PROTOCOL = range(1, 7)

# The limits of contract/tunnel.ts.
PAYLOAD_BYTES = 65536
MESSAGE_BYTES = 1048576
CTRL_BYTES = 16384
INITIAL_WINDOW_BYTES = 262144
FULL_WINDOW_BYTES = 4194304
FULL_WINDOW_STREAMS = 16
TUNNEL_BYTES = 33554432
SEND_BUFFER_BYTES = 131072
QUANTUM_BYTES = 32768
MAX_STREAMS = 1024
ACK_FRAMES = 16
ACK_BYTES = 65536
ACK_SECONDS = 0.005
PING_SECONDS = 20.0
SILENCE_SECONDS = 45.0
HANDSHAKE_SECONDS = 10.0
LOCAL_DIAL_SECONDS = 5.0

# type: (belongs to a stream, least payload, most payload)
RULES = {
    HELLO: (False, 2, 16384),
    OPEN: (True, 1, 64),
    DATA: (True, 1, PAYLOAD_BYTES),
    WINDOW: (True, 4, 4),
    END: (True, 0, 0),
    RESET: (True, 4, 4),
    PING: (False, 8, 8),
    PONG: (False, 8, 8),
    GOAWAY: (False, 4, 1024),
    ACK: (False, 4, 4),
    CTRL: (False, 2, CTRL_BYTES),
}
UNCOUNTED = (ACK, PING, PONG)
HEADER = struct.Struct(">BBHI")


class ProtocolError(Exception):
    """The peer broke the protocol; the connection is closed with 1002."""


def header(kind, stream, length):
    """The 8 bytes before a payload of that length; raises ProtocolError when the frame would break a rule."""
    check(kind, stream, length)
    return HEADER.pack(kind, 0, 0, stream)


def encode(kind, stream, payload=b""):
    """The message of a frame; raises ProtocolError when it would break a rule."""
    return header(kind, stream, len(payload)) + payload


def u32(value):
    """Four bytes, modulo 2^32: the payload of WINDOW, RESET and ACK."""
    return struct.pack(">I", value & 0xFFFFFFFF)


def decode(message):
    """(type, stream, payload) of a message; the payload shares its memory. Raises ProtocolError naming what is wrong."""
    if len(message) < 8:
        raise ProtocolError("message of %d bytes is shorter than a header" % len(message))
    kind, flags, reserved, stream = HEADER.unpack_from(message)
    if kind not in RULES:
        raise ProtocolError("unknown frame type %d" % kind)
    if flags or reserved:
        raise ProtocolError("flags and reserved bytes must be 0")
    check(kind, stream, len(message) - 8)
    return kind, stream, memoryview(message)[8:]


def check(kind, stream, length):
    of_stream, least, most = RULES[kind]
    if of_stream != (stream > 0):
        raise ProtocolError("frame type %d with stream %d" % (kind, stream))
    if not least <= length <= most:
        raise ProtocolError("frame type %d with a payload of %d bytes" % (kind, length))
