"""jtun.v1 frames: type u8, flags u8 = 0, reserved u16 = 0, stream u32, payload. One frame = one binary websocket message."""
import struct

HELLO, OPEN, DATA, WINDOW, END, RESET, PING, PONG, GOAWAY, ACK, CTRL = range(11)
REFUSED, TIMEOUT, CONNRESET, FORBIDDEN, TOO_MANY, PROTOCOL = range(1, 7)

PAYLOAD_BYTES = 65536
MESSAGE_BYTES = 1048576
CTRL_BYTES = 16384
WINDOW_BYTES = 1048576
QUANTUM_BYTES = 32768
MAX_STREAMS = 1024
ACK_FRAMES = 16
ACK_BYTES = 65536
ACK_DELAY = 0.005
PING_SECONDS = 20.0
SILENCE_SECONDS = 45.0
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


class ProtocolError(Exception):
    """The peer broke the protocol; the connection is closed with 1002."""


def encode(kind, stream, payload=b""):
    """The message of a frame; raises ProtocolError when it would break a rule."""
    check(kind, stream, len(payload))
    return struct.pack(">BBHI", kind, 0, 0, stream) + payload


def encode_number(kind, stream, value):
    """A frame with a u32 payload: WINDOW, RESET, ACK."""
    return encode(kind, stream, struct.pack(">I", value & 0xFFFFFFFF))


def decode(message):
    """(type, stream, payload) of a message; raises ProtocolError naming what is wrong."""
    if len(message) < 8:
        raise ProtocolError("message of %d bytes is shorter than a header" % len(message))
    kind, flags, reserved, stream = struct.unpack_from(">BBHI", message)
    if kind not in RULES:
        raise ProtocolError("unknown frame type %d" % kind)
    if flags or reserved:
        raise ProtocolError("flags and reserved bytes must be 0")
    check(kind, stream, len(message) - 8)
    return kind, stream, message[8:]


def check(kind, stream, length):
    of_stream, least, most = RULES[kind]
    if of_stream != (stream > 0):
        raise ProtocolError("frame type %d with stream %d" % (kind, stream))
    if not least <= length <= most:
        raise ProtocolError("frame type %d with a payload of %d bytes" % (kind, length))
