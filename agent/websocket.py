"""The client's half of RFC 6455, as much as a tunnel needs: binary messages, ping, close. Frames are masked with a zero key:
the mask protects intermediaries from bytes that a script chose; this end is no browser and inside TLS, and Python pays 4x for it."""
import asyncio
import base64
import hashlib
import os
import struct

from .wire import MESSAGE_BYTES, ProtocolError

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
        self.opened = loop.create_future()
        self.closed = loop.create_future()
        self.on_message = None
        self.on_writable = None
        self.transport = None
        self.blocked = False
        self.buffer = bytearray()
        self.parts = []
        self.key = base64.b64encode(os.urandom(16))
        self.last_heard = loop.time()
        lines = ["GET %s HTTP/1.1" % path, "Host: " + host, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: " + self.key.decode(), "Sec-WebSocket-Protocol: jtun.v1"]
        lines += ["%s: %s" % pair for pair in headers]
        self.request = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    # ---- transport

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=262144)
        transport.write(self.request)

    def connection_lost(self, exc):
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("the connection ended during the handshake"))
        if not self.closed.done():
            self.closed.set_result(str(exc or "connection ended"))

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
            if self.opened.done() or self.handshake():
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
        lines = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1]) if len(lines[0].split(" ")) > 1 and lines[0].split(" ")[1].isdigit() else 0
        headers = dict((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:]))
        if status != 101:
            length = int(headers.get("content-length") or 0)
            if len(self.buffer) - end - 4 < min(length, 65536):
                return False
            self.opened.set_exception(Refused(status, bytes(self.buffer[end + 4 : end + 4 + length])))
            self.transport.abort()
            return False
        want = base64.b64encode(hashlib.sha1(self.key + GUID).digest()).decode()
        if headers.get("sec-websocket-accept") != want or headers.get("sec-websocket-protocol") != "jtun.v1":
            raise ProtocolError("the answer is no jtun.v1 handshake")
        del self.buffer[: end + 4]
        self.opened.set_result(None)
        return True

    # ---- frames

    def frames(self):
        position = 0
        size = len(self.buffer)
        while size - position >= 2:
            first, second = self.buffer[position], self.buffer[position + 1]
            length, head = second & 127, 2
            if second & 128 or first & 0x70:
                raise ProtocolError("a masked frame or an extension from the portal")
            if length == 126:
                if size - position < 4:
                    break
                length, head = struct.unpack_from(">H", self.buffer, position + 2)[0], 4
            elif length == 127:
                if size - position < 10:
                    break
                length, head = struct.unpack_from(">Q", self.buffer, position + 2)[0], 10
            if length > MESSAGE_BYTES:
                raise ProtocolError("a message of %d bytes" % length)
            if size - position - head < length:
                break
            start = position + head
            position = start + length
            self.frame(first, bytes(self.buffer[start:position]))
            if self.transport.is_closing():
                return
        del self.buffer[:position]

    def frame(self, first, payload):
        kind = first & 15
        if kind in (0, 2):
            self.parts.append(payload)
            if sum(map(len, self.parts)) > MESSAGE_BYTES:
                raise ProtocolError("a message that is too large")
            if first & 128:
                message, self.parts = b"".join(self.parts), []
                self.on_message(message)
        elif kind == 9:
            self.write(0x8A, payload)
        elif kind == 8:
            self.write(0x88, payload[:2])
            self.transport.close()
        elif kind != 10:
            raise ProtocolError("a frame of kind %d" % kind)

    def send(self, message):
        self.write(0x82, message)

    def write(self, first, payload):
        length = len(payload)
        if length < 126:
            head = struct.pack(">BB", first, 0x80 | length)
        elif length < 65536:
            head = struct.pack(">BBH", first, 0xFE, length)
        else:
            head = struct.pack(">BBQ", first, 0xFF, length)
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join((head, b"\0\0\0\0", payload)))

    def fail(self, code, reason):
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(reason))
        self.write(0x88, struct.pack(">H", code) + reason.encode()[:100])
        self.transport.close()
