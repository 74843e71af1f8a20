"""Keeps the tunnel up: dials, says HELLO, pings, dials again after a loss or GOAWAY; what was said by CTRL is not lost on the way."""
import asyncio
import json
import os
import time

from .enrol import Ended, backoff, end_if_told, jitter
from .http1 import problem
from .mux import Mux
from .websocket import Refused, Websocket
from .wire import HANDSHAKE_SECONDS, HELLO, PING, PING_SECONDS, SILENCE_SECONDS

STEADY_SECONDS = 10.0  # a tunnel that lasted so long is dialled again at once
GOAWAY_SECONDS = 5.0
DRAIN_SECONDS = 60.0


class Tunnel:
    """`hello` is the agent's HELLO; `on_ctrl` gets the gateway's CTRL messages."""

    def __init__(self, portal, enrolment, hello, socket_path, on_ctrl, log):
        self.portal = portal
        self.enrolment = enrolment
        self.hello = hello
        self.socket_path = socket_path
        self.on_ctrl = on_ctrl
        self.log = log
        self.mux = None
        self.refusing = False
        self.closing = False
        self.away_since = time.monotonic()
        self.phase = None
        self.unheard = []  # [message, mux, frame number]: not yet acknowledged
        self.draining = set()

    # ---- for the rest of the agent

    def tell(self, message):
        """CTRL to the gateway, now or on the next tunnel. It may arrive twice; `at` tells."""
        if message["kind"] == "phase":
            self.phase = message
        self.forget_heard()
        self.unheard.append(self.say(message))

    async def heard(self, seconds):
        """Waits until all that was told has been acknowledged."""
        until = time.monotonic() + seconds
        while self.forget_heard() and not self.closing and time.monotonic() < until:
            await asyncio.sleep(0.005)

    def refuse(self):
        """Takes no new streams."""
        self.refusing = True
        if self.mux is not None:
            self.mux.goaway(0, "the session is ending")

    def close_streams(self):
        """Returns whether there were any."""
        found = False
        for mux in [self.mux] + list(self.draining):
            if mux is not None and mux.streams:
                found = True
                mux.close_streams()
        return found

    async def close(self):
        """Says goodbye and waits for the other end to close, a second at most."""
        self.closing = True
        if self.mux is not None:
            websocket = self.mux.websocket
            websocket.close(1000, "the agent has ended")
            await asyncio.wait([websocket.closed], timeout=1)

    # ---- keeping it up

    async def keep(self):
        """Runs until cancelled or closed. Raises Ended when the portal says that this session is over."""
        attempt = 0
        while True:
            began = time.monotonic()
            reason = await self.once()
            if self.closing:
                return
            if reason is None:
                await asyncio.sleep(jitter() * GOAWAY_SECONDS)
                attempt = 0
                continue
            steady = time.monotonic() - began >= STEADY_SECONDS
            attempt = 0 if steady else attempt + 1
            self.log("tunnel: %s; dialling again" % reason)
            if attempt:
                await asyncio.sleep(backoff(attempt - 1))

    async def once(self):
        """One connection. Returns why it ended, or None after GOAWAY. Raises Ended."""
        try:
            websocket = await asyncio.wait_for(self.dial(), HANDSHAKE_SECONDS)
        except Refused as refusal:
            data = problem(refusal.body)
            try:
                end_if_told(refusal.status, data)
            except Ended:
                self.closing = True
                raise
            return "%s %s" % (refusal, data.get("code", ""))
        except (OSError, asyncio.TimeoutError) as error:
            return str(error) or "no answer to the handshake"
        gone = asyncio.get_running_loop().create_future()
        mux = Mux(websocket, self.socket_path, self.on_ctrl, lambda: gone.done() or gone.set_result(None), lambda: not self.refusing)
        mux.frame(HELLO, 0, json.dumps(self.hello).encode())
        websocket.attach(mux.on_message, mux.pump)
        self.mux = mux
        self.repeat()
        try:
            reason = await self.keep_alive(websocket, mux, gone)
            if reason is None:
                drain = asyncio.ensure_future(self.drain(mux))
                self.draining.add(mux)
                drain.add_done_callback(lambda _done: self.draining.discard(mux))
            return reason
        finally:
            self.mux = None
            self.away_since = time.monotonic()
            if mux not in self.draining:
                mux.close()
                websocket.transport.abort()

    async def dial(self):
        headers = [("Authorization", "Bearer " + self.enrolment.key), ("X-Jtun-Epoch", str(self.enrolment.epoch)), ("X-Jtun-Recv", "0")]
        path = self.portal.prefix + "/tunnel/v1"
        transport, websocket = await self.portal.connect(lambda: Websocket(self.portal.authority, path, headers))
        try:
            await websocket.opened
            return websocket
        except BaseException:
            transport.abort()
            raise

    async def keep_alive(self, websocket, mux, gone, ping_seconds=PING_SECONDS, silence_seconds=SILENCE_SECONDS):
        """Pings; returns why the connection is over, or None after GOAWAY."""
        pause = 0
        while True:
            silent = asyncio.get_running_loop().time() - websocket.last_heard
            if silent >= silence_seconds:
                return "nothing heard for %d s" % silence_seconds
            if pause <= 0:
                mux.frame(PING, 0, os.urandom(8))
                pause = ping_seconds * (0.8 + 0.4 * jitter())
            step = min(pause, silence_seconds - silent)
            pause -= step
            await asyncio.wait([websocket.closed, gone], timeout=step, return_when=asyncio.FIRST_COMPLETED)
            if websocket.closed.done():
                return websocket.closed.result()
            if gone.done():
                return None

    async def drain(self, mux):
        """After GOAWAY: open streams go on while the next tunnel is dialled."""
        until = time.monotonic() + DRAIN_SECONDS
        while mux.streams and time.monotonic() < until and not mux.websocket.closed.done():
            await asyncio.sleep(0.1)
        mux.websocket.close(1000, "drained")
        mux.close()
        mux.websocket.transport.close()

    # ---- CTRL

    def say(self, message):
        mux = self.mux
        return [message, mux, mux.ctrl(message) if mux is not None else None]

    def forget_heard(self):
        """Returns what is still unheard."""
        self.unheard = [
            entry for entry in self.unheard
            if entry[1] is None or entry[1] is not self.mux or (entry[2] is not None and not entry[1].has_acked(entry[2]))
        ]
        return self.unheard

    def repeat(self):
        """On a new tunnel: what may have been lost, and the phase, which a new gateway has not heard."""
        messages = [entry[0] for entry in self.unheard]
        if self.phase is not None and self.phase not in messages:
            messages.insert(0, self.phase)
        self.unheard = [self.say(message) for message in messages]
