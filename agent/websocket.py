"""The client's half of RFC 6455, as much as a tunnel needs: binary messages, ping, close. Frames are masked with a zero key:
the mask protects intermediaries from bytes that a script chose; this end is no browser and inside TLS, and Python pays 4x for it."""
import asyncio
import base64
import hashlib
import os
import struct

from .http1 import body_of, parse_head, quiet_future
from .wire import MESSAGE_BYTES, SEND_BUFFER_BYTES, ProtocolError

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Refused(Exception):
    """The handshake got another answer than 101."""

    def __init__(self, status, body):
        Exception.__init__(self, "the portal answered %d" % status)
        self.status = status
        self.body = body


class Websocket(asyncio.Protocol):
    def __init__(self, host, path, headers):
        loop = asyncio.get_running_loop()
        self.opened = quiet_future()
        self.closed = loop.create_future()
        self.on_message = None
        self.on_writable = None
        self.transport = None
        self.blocked = False
        self.buffer = bytearray()
        self.ended = False
        self.parts = None
        self.close_sent = False
        self.reason = None
        self.key = base64.b64encode(os.urandom(16))
        self.last_heard = loop.time()
        lines = ["GET %s HTTP/1.1" % path, "Host: " + host, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: " + self.key.decode(), "Sec-WebSocket-Protocol: jtun.v1"]
        lines += ["%s: %s" % pair for pair in headers]
        self.request = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    # ---- transport

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES)
        transport.write(self.request)

    def connection_lost(self, exc):
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("the connection ended during the handshake"))
        if not self.closed.done():
            self.closed.set_result(self.reason or str(exc or "the connection ended"))

    def pause_writing(self):
        self.blocked = True

    def resume_writing(self):
        self.blocked = False
        if self.on_writable:
            self.on_writable()

    def data_received(self, data):
        self.buffer += data
        self.last_heard = asyncio.get_running_loop().time()
        try:
            if (self.opened.done() or self.handshake()) and self.on_message is not None:
                self.frames()
        except ProtocolError as error:
            self.fail(1002, str(error))

    # ---- handshake

    def handshake(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > 65536:
                raise ProtocolError("an answer without end")
            return False
        status, headers = parse_head(bytes(self.buffer[:end]))
        if status != 101:
            body = body_of(headers, bytes(self.buffer[end + 4 :]), self.ended)
            if body is not None:
                self.opened.set_exception(Refused(status, body))
                self.transport.abort()
            return False
        want = base64.b64encode(hashlib.sha1(self.key + GUID).digest()).decode()
        if headers.get("sec-websocket-accept") != want or headers.get("sec-websocket-protocol") != "jtun.v1":
            raise ProtocolError("the answer is no jtun.v1 handshake")
        del self.buffer[: end + 4]
        self.opened.set_result(None)
        return True

    def attach(self, on_message, on_writable):
        """Frames that came together with the handshake are handled at once."""
        self.on_message = on_message
        self.on_writable = on_writable
        self.data_received(b"")

    def eof_received(self):
        self.ended = True
        if not self.opened.done() and self.buffer:
            self.data_received(b"")
        return False

    # ---- frames

    def frames(self):
        position = 0
        size = len(self.buffer)
        view = memoryview(self.buffer)
        try:
            while size - position >= 2 and not self.transport.is_closing():
                first, second = view[position], view[position + 1]
                length, head = second & 127, 2
                if second & 128 or first & 0x70:
                    raise ProtocolError("a masked frame or an extension from the portal")
                if first & 8 and (length > 125 or not first & 128):
                    raise ProtocolError("a control frame that is long or in parts")
                if length == 126:
                    if size - position < 4:
                        break
                    length, head = struct.unpack_from(">H", view, position + 2)[0], 4
                elif length == 127:
                    if size - position < 10:
                        break
                    length, head = struct.unpack_from(">Q", view, position + 2)[0], 10
                if length > MESSAGE_BYTES:
                    raise ProtocolError("a message of %d bytes" % length)
                if size - position - head < length:
                    break
                start = position + head
                position = start + length
                self.frame(first, bytes(view[start:position]))
        finally:
            view.release()
            del self.buffer[:position]

    def frame(self, first, payload):
        kind = first & 15
        if kind == 2 or kind == 0:
            if (kind == 0) != (self.parts is not None):
                raise ProtocolError("parts of messages out of order")
            if first & 128 and self.parts is None:
                self.on_message(payload)
                return
            if self.parts is None:
                self.parts = bytearray()
            self.parts += payload
            if len(self.parts) > MESSAGE_BYTES:
                raise ProtocolError("a message that is too large")
            if first & 128:
                message, self.parts = bytes(self.parts), None
                self.on_message(message)
        elif kind == 9:
            self.write(0x8A, b"", payload)
        elif kind == 8:
            self.close(1000)
            self.transport.close()
        elif kind != 10:
            raise ProtocolError("a frame of kind %d" % kind)

    def send(self, head, payload=b""):
        """One binary message from two parts."""
        self.write(0x82, head, payload)

    def write(self, first, head, payload):
        length = len(head) + len(payload)
        if length < 126:
            start = struct.pack(">BB", first, 0x80 | length)
        elif length < 65536:
            start = struct.pack(">BBH", first, 0xFE, length)
        else:
            start = struct.pack(">BBQ", first, 0xFF, length)
        if not self.transport.is_closing():
            self.transport.write(b"".join((start, b"\0\0\0\0", head, payload)))

    def close(self, code, reason=""):
        """The close frame, once; the portal answers with its own and ends the connection."""
        if not self.close_sent:
            self.close_sent = True
            self.write(0x88, struct.pack(">H", code), reason.encode()[:100])

    def fail(self, code, reason):
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(reason))
        else:
            self.close(code, reason)
        self.reason = reason
        self.transport.close()
