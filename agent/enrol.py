"""Enrolment: the one-time token and the hash of our own connection key against an epoch."""
import asyncio
import hashlib
import json
import random
import secrets


class Ended(Exception):
    """The portal said that this session is over, or belongs to another agent. The agent ends."""


class Answer(asyncio.Protocol):
    """One HTTP/1.1 request with `Connection: close`; the whole answer is the result."""

    def __init__(self, request):
        self.request = request
        self.done = asyncio.get_running_loop().create_future()
        self.data = bytearray()
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data):
        self.data += data
        head, _, body = bytes(self.data).partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length" and value.strip().isdigit() and len(body) >= int(value):
                self.finish()
        if len(self.data) > 65536:
            self.finish()

    def connection_lost(self, exc):
        self.finish()

    def finish(self):
        if not self.done.done():
            self.done.set_result(bytes(self.data))
        self.transport.close()


class Enrolment:
    def __init__(self, portal, token):
        self.portal = portal
        self.token = token
        self.key = secrets.token_urlsafe(32)
        self.epoch = None

    async def run(self, log, give_up):
        """Tries until it has an answer. Raises Ended; `give_up()` tells when to stop trying."""
        attempt = 0
        while True:
            try:
                self.epoch = await asyncio.wait_for(self.once(), 15)
                self.token = None
                return self.epoch
            except (OSError, ValueError, asyncio.TimeoutError) as error:
                log("enrolment: %s; trying again" % (str(error) or type(error).__name__))
            if give_up():
                raise Ended("away")
            await asyncio.sleep(backoff(attempt))
            attempt += 1

    async def once(self):
        body = json.dumps({"token": self.token, "keyHash": hashlib.sha256(self.key.encode()).hexdigest()}).encode()
        head = "POST %s/tunnel/v1/enrol HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        request = (head % (self.portal.prefix, self.portal.authority, len(body))).encode() + body
        _transport, answer = await self.portal.connect(lambda: Answer(request))
        raw = await answer.done
        status, data = read_answer(raw)
        if status == 200 and isinstance(data.get("epoch"), int):
            return data["epoch"]
        end_if_told(status, data)
        raise OSError("the portal answered %s %s" % (status or "nothing", data.get("code", "")))


def read_answer(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    words = head.split(b" ")
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    try:
        data = json.loads(body.decode("utf-8")) if body else {}
    except ValueError:
        data = {}
    return status, data if isinstance(data, dict) else {}


def end_if_told(status, problem):
    """Only these answers end an agent; everything else is tried again."""
    code = problem.get("code")
    if (status, code) in ((410, "session-ended"), (409, "epoch-superseded"), (409, "enrolment-conflict")):
        raise Ended(code)


def backoff(attempt):
    """0.5 s x 1.7^n with full jitter, at most 15 s; the first retry of a loss is immediate elsewhere."""
    return random.random() * min(15.0, 0.5 * 1.7 ** min(attempt, 20))
