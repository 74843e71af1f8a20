"""Enrolment: the one-time token and the hash of our own connection key against an epoch. Which answers end an agent."""
import asyncio
import base64
import hashlib
import os

from .http1 import Exchange, post_json, problem

ENROL_SECONDS = 1800.0  # how long a portal may be away, or not know the token, before the agent gives up
ENROL_ANSWER_SECONDS = 15.0


class Ended(Exception):
    """The portal said that this session is over or belongs to another agent, or was away for too long. `cause` as in CTRL exit."""

    def __init__(self, cause, message):
        Exception.__init__(self, message)
        self.cause = cause


class Enrolment:
    def __init__(self, portal, token):
        self.portal = portal
        self.token = token
        self.key = new_secret()
        self.epoch = None

    async def run(self, log, clock, pause=asyncio.sleep, limit=ENROL_SECONDS):
        """Tries until it has an epoch. Raises Ended. `clock()` tells seconds."""
        began, attempt = clock(), 0
        while True:
            try:
                self.epoch = await asyncio.wait_for(self.once(), ENROL_ANSWER_SECONDS)
                self.token = None
                return
            except (OSError, asyncio.TimeoutError) as error:
                log("enrolment: %s; trying again" % (str(error) or "no answer"))
            if clock() - began >= limit:
                raise Ended("away", "the portal could not be reached, or did not know this session, for %d min" % (limit / 60))
            await pause(backoff(attempt))
            attempt += 1

    async def once(self):
        key_hash = hashlib.sha256(self.key.encode()).hexdigest()
        request = post_json(self.portal.authority, self.portal.prefix + "/tunnel/v1/enrol", {"token": self.token, "keyHash": key_hash})
        transport, exchange = await self.portal.connect(lambda: Exchange(request))
        try:
            status, _headers, body = await exchange.answer
        finally:
            transport.abort()
        data = problem(body)
        if status == 200 and type(data.get("epoch")) is int and data["epoch"] >= 1:
            return data["epoch"]
        end_if_told(status, data)
        raise OSError("the portal answered %d %s" % (status, data.get("code", "")))


def end_if_told(status, data):
    """Only these answers end an agent; everything else is tried again."""
    code = data.get("code")
    if (status, code) == (410, "session-ended"):
        raise Ended("stop", "the portal says that the session has ended")
    if (status, code) == (409, "epoch-superseded"):
        raise Ended("stop", "a newer agent of this session is in use")
    if (status, code) == (409, "enrolment-conflict"):
        raise Ended("refused", "the enrolment token was already used by another agent")


def backoff(attempt):
    """Seconds before a further try: 0.5 s x 1.7^n with full jitter, at most 15 s."""
    return jitter() * min(15.0, 0.5 * 1.7 ** min(attempt, 20))


def jitter():
    """A random number in [0, 1), without the cost of importing `random`."""
    return int.from_bytes(os.urandom(4), "big") / 4294967296.0


def new_secret():
    """256 random bits, base64url."""
    return base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
