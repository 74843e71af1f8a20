"""What the agent's tests share: a small gateway that speaks enrolment and jtun.v1, and the agent as a process of its own."""
import asyncio
import base64
import hashlib
import json
import os
import shutil
import signal
import struct
import sys
import tempfile
import unittest

from agent import wire
from agent.websocket import GUID

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOKEN = "t" * 43
# Listens on the socket named by argv[1] and answers every request with 200 and 'hello'.
APP = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(64)
while True:
    c = s.accept()[0]
    c.recv(65536)
    c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\nhello"); c.close()
"""


class Case(unittest.IsolatedAsyncioTestCase if sys.version_info >= (3, 8) else unittest.TestCase):
    """Temporary folders with short names, and processes, are gone after each test."""

    def folder(self):
        made = tempfile.mkdtemp(prefix="la", dir="/tmp")
        self.addCleanup(shutil.rmtree, made, True)
        return made

    async def until(self, condition, seconds=10.0, what="condition"):
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            self.assertLess(asyncio.get_running_loop().time(), deadline, "waited in vain for " + what)
            await asyncio.sleep(0.005)


async def read_http(reader):
    """(request line, headers, body)"""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line))
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return head[0], headers, body


def answer(status, value, kind="application/problem+json"):
    body = json.dumps(value).encode()
    return b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, kind.encode(), len(body)) + body


class Link:
    """The gateway's end of one tunnel connection."""

    def __init__(self, reader, writer, headers):
        self.reader = reader
        self.writer = writer
        self.headers = headers
        self.frames = []
        self.ctrl = []
        self.data = {}
        self.ends = []
        self.resets = {}
        self.received = 0
        self.closed = False
        self.acks = True

    def send(self, kind, stream, payload=b""):
        message = wire.HEADER.pack(kind, 0, 0, stream) + payload
        self.send_raw(0x82, message)

    def send_raw(self, first, message):
        size = len(message)
        head = struct.pack(">BB", first, size) if size < 126 else struct.pack(">BBH", first, 126, size) if size < 65536 else struct.pack(">BBQ", first, 127, size)
        self.writer.write(head + message)

    def say(self, message):
        self.send(wire.CTRL, 0, json.dumps(message).encode())

    async def read(self):
        try:
            while True:
                first, second = await self.reader.readexactly(2)
                size = second & 127
                if size == 126:
                    size = struct.unpack(">H", await self.reader.readexactly(2))[0]
                elif size == 127:
                    size = struct.unpack(">Q", await self.reader.readexactly(8))[0]
                assert second & 128, "frames of a client are masked"
                assert await self.reader.readexactly(4) == b"\0\0\0\0"
                payload = await self.reader.readexactly(size)
                if first == 0x82:
                    self.take(*wire.decode(payload))
                elif first == 0x88:
                    self.send_raw(0x88, payload[:2])
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.closed = True
        self.writer.close()

    def take(self, kind, stream, payload):
        payload = bytes(payload)
        self.frames.append((kind, stream, payload))
        if kind not in wire.UNCOUNTED:
            self.received += 1
            if self.acks:
                self.send(wire.ACK, 0, wire.u32(self.received))
        if kind == wire.CTRL:
            self.ctrl.append(json.loads(payload))
        elif kind == wire.DATA:
            self.data[stream] = self.data.get(stream, b"") + payload
            self.send(wire.WINDOW, stream, wire.u32(len(payload)))
        elif kind == wire.END:
            self.ends.append(stream)
        elif kind == wire.RESET:
            self.resets[stream] = struct.unpack(">I", payload)[0]

    def told(self, kind):
        return [message for message in self.ctrl if message["kind"] == kind]

    def phases(self):
        return [message["phase"] for message in self.told("phase")]


class Gateway:
    """`enrol(body)` and `handshake(headers)` return bytes to answer with, or None for the usual answer."""

    def __init__(self):
        self.links = []
        self.enrolments = []
        self.enrol = lambda body: None
        self.handshake = lambda headers: None
        self.hello = True

    async def listen(self, tls=None):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.port)

    async def close(self):
        self.server.close()
        for link in self.links:
            link.writer.transport.abort()

    async def serve(self, reader, writer):
        try:
            line, headers, body = await read_http(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        if line.startswith("POST /tunnel/v1/enrol "):
            self.enrolments.append(json.loads(body))
            given = self.enrol(json.loads(body))
            usual = answer(200, {"session": "aaaabbbbccccdddd", "epoch": 1}, "application/json")
            writer.write(usual if given is None else given)
            writer.close()
        else:
            refusal = self.handshake(headers)
            if refusal is not None:
                writer.write(refusal)
                writer.close()
                return
            accept = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest()).decode()
            writer.write(
                ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: jtun.v1\r\n"
                 "X-Jtun-New: 1\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept).encode()
            )
            link = Link(reader, writer, headers)
            self.links.append(link)
            if self.hello:
                link.send(wire.HELLO, 0, json.dumps({"v": 1, "window": 262144, "maxStreams": 1024}).encode())
            await link.read()

    @property
    def link(self):
        return self.links[-1] if self.links else None


class AgentProcess:
    """The agent, unjoined, as a process; `env` is all of its environment."""

    def __init__(self, case, url, app=None, **env):
        self.case = case
        self.url = url
        self.base = case.folder()
        self.home = case.folder()
        app = app or {"kind": "argv", "argv": [sys.executable, "-c", APP, "{socket}"], "readyPath": "/", "rootDir": self.home}
        self.env = {
            "PATH": os.environ["PATH"], "HOME": self.home, "PYTHONPATH": ROOT, "LINKSPAN_PRIVATE_DIR": self.base, "LINKSPAN_URL": url,
            "LINKSPAN_SESSION": "aaaabbbbccccdddd", "LINKSPAN_ENROL": TOKEN, "LINKSPAN_APP": json.dumps(app),
        }
        self.env.update({name: value for name, value in env.items() if value is not None})
        for name, value in env.items():
            if value is None:
                self.env.pop(name, None)
        self.out = b""

    async def start(self, *prefix):
        self.process = await asyncio.create_subprocess_exec(
            *prefix, sys.executable, "-m", "agent.main", env=self.env, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )
        self.pid = self.process.pid
        self.case.addAsyncCleanup(self.end)
        self.reading = asyncio.ensure_future(self.read())
        return self

    async def read(self):
        while True:
            data = await self.process.stdout.read(65536)
            if not data:
                return
            self.out += data

    async def status(self, seconds=20):
        status = await asyncio.wait_for(self.process.wait(), seconds)
        await self.reading
        return status

    async def end(self):
        if self.process.returncode is None:
            from agent.process import descendants

            for pid in descendants(self.pid) + [self.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            await self.process.wait()
        await self.reading

    def text(self):
        return self.out.decode("utf-8", "replace")
