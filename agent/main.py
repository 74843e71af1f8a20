"""The agent's life: read and clear the environment, enrol, then dial and start the app at the same time; end with a cause."""
import asyncio
import os
import random
import secrets
import shutil
import signal
import socket
import sys
import time

from .app import App, AppRefused
from .dial import Portal
from .enrol import Ended, Enrolment, backoff, end_if_told, read_answer
from .mux import Mux
from .plan import make_plan
from .private import make_private
from .process import end_descendants, protect, reap
from .websocket import Refused, Websocket
from .wire import HELLO, MAX_STREAMS, PING, PING_SECONDS, SILENCE_SECONDS, WINDOW_BYTES

VERSION = "1"
# Exit status: the cause of the end (contract/tunnel.ts, agentExit).
STATUS = {"app": 0, "stop": 81, "walltime": 82, "max-age": 83, "away": 84, "refused": 85, "app-failed": 86, "app-never-answered": 87}
SAVE_SECONDS = 2.0  # jupyter-collaboration saves 1 s after the last change
LAST_SECONDS = 60.0  # how long before the walltime the app is stopped


class Agent:
    def __init__(self, settings, env):
        self.settings = settings
        self.env = env
        self.private = None
        self.app = None
        self.mux = None
        self.enrolment = None
        self.portal = None
        self.kind = "jupyterlab"
        self.secret = secrets.token_urlsafe(32)
        self.plan = None
        self.refusal = None
        self.queue = []
        self.refusing = False
        self.ending = None
        self.came_up = False
        self.away_since = time.monotonic()
        self.began = time.monotonic()
        walltime = number(settings, "LINKSPAN_WALLTIME", 0)
        self.deadline = self.began + walltime if walltime else None
        self.max_age = number(settings, "LINKSPAN_MAX_AGE", 7 * 86400)
        self.away = number(settings, "LINKSPAN_AWAY", 86400)
        self.ready_timeout = number(settings, "LINKSPAN_READY_TIMEOUT", 120)

    def prepare(self):
        """Makes the plan before the tunnel comes up: HELLO carries the app's secret. A refusal is told through the tunnel."""
        try:
            self.plan, self.kind, self.secret = make_plan(self.settings, self.private, self.env)
        except AppRefused as error:
            self.refusal = error

    # ---- life

    async def run(self):
        """Returns the exit status."""
        loop = asyncio.get_running_loop()
        self.over = loop.create_future()
        loop.add_signal_handler(signal.SIGCHLD, self.on_child)
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.ask_end, "stop", None, True)
        tasks = []
        try:
            self.portal = Portal(self.settings["LINKSPAN_URL"], self.settings)
            self.private = make_private(self.settings)
            self.prepare()
            self.enrolment = Enrolment(self.portal, self.settings.pop("LINKSPAN_ENROL"))
            early = asyncio.ensure_future(self.enrolment.run(self.log, lambda: time.monotonic() - self.began > 1800))
            done, _pending = await asyncio.wait([early, self.over], return_when=asyncio.FIRST_COMPLETED)
            if early in done:
                early.result()
                tasks = [asyncio.ensure_future(work) for work in (self.keep_tunnel(), self.run_app(), self.watch_clock())]
                for task in tasks:
                    task.add_done_callback(self.on_task)
            else:
                early.cancel()
            cause, message = await self.over
        except Ended as end:
            cause, message = ("away" if str(end) == "away" else "stop"), str(end)
        except (AppRefused, OSError, ValueError, KeyError) as error:
            cause, message = "refused", describe(error)
        return await self.finish(cause, message, tasks)

    async def finish(self, cause, message, tasks):
        if message:
            self.log("%s: %s" % (cause, message))
        for task in tasks[1:]:
            task.cancel()
        code, name = self.app.exited.result() if self.app and self.app.exited.done() else (None, None)
        end_descendants(os.getpid())
        exit_message = {"kind": "exit", "at": now(), "code": code, "signal": name, "cause": cause}
        if message:
            exit_message["message"] = message[:4000]
        self.tell(exit_message)
        if self.mux is None and tasks and not tasks[0].done() and cause not in ("away", "stop"):
            # A tunnel that is just coming up should still carry the reason.
            await self.wait_until(lambda: self.mux is not None, 3)
        await self.wait_until(lambda: self.mux is None or not self.mux.websocket.blocked, 2)
        if self.mux is not None:
            websocket = self.mux.websocket
            websocket.write(0x88, b"\x03\xe8")
            await self.wait_until(lambda: websocket.closed.done(), 1)
        for task in tasks:
            task.cancel()
        if self.private:
            shutil.rmtree(self.private, ignore_errors=True)
        return STATUS[cause]

    def on_task(self, task):
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        if isinstance(error, Ended):
            self.finish_with("stop", str(error))
        else:
            self.finish_with("refused", describe(error))

    def finish_with(self, cause, message=""):
        if not self.over.done():
            self.over.set_result((cause, message))

    def on_child(self):
        reap(self.app.on_exit if self.app else None)

    # ---- tunnel

    async def keep_tunnel(self):
        attempt = 0
        while True:
            try:
                await self.one_tunnel()
                attempt = 0
                if self.ending is None:
                    self.log("tunnel lost; dialling again")
            except Refused as refusal:
                status, problem = read_answer(b"HTTP/1.1 %d x\r\n\r\n" % refusal.status + refusal.body)
                end_if_told(status, problem)
                self.log("tunnel: %s %s" % (refusal, problem.get("code", "")))
            except (OSError, asyncio.TimeoutError) as error:
                self.log("tunnel: %s" % (str(error) or type(error).__name__))
            if self.over.done():
                return
            # At once after a loss, then with growing pauses.
            await asyncio.sleep(backoff(attempt) if attempt else random.random() * 0.1)
            attempt += 1

    async def one_tunnel(self):
        headers = [("Authorization", "Bearer " + self.enrolment.key), ("X-Jtun-Epoch", str(self.enrolment.epoch)), ("X-Jtun-Recv", "0")]
        made = lambda: Websocket(self.portal.authority, self.portal.prefix + "/tunnel/v1", headers)
        transport, websocket = await asyncio.wait_for(self.portal.connect(made), 15)
        try:
            await asyncio.wait_for(asyncio.shield(websocket.opened), 15)
        except BaseException:
            transport.abort()
            raise
        mux = Mux(websocket, self.socket_path(), self.on_ctrl, lambda reason: None, lambda: not self.refusing)
        websocket.on_message = mux.on_message
        websocket.on_writable = mux.pump
        hello = {"v": 1, "window": WINDOW_BYTES, "maxStreams": MAX_STREAMS,
                 "agent": {"version": VERSION, "python": sys.version.split()[0], "host": socket.gethostname(), "pid": os.getpid()},
                 "app": {"kind": self.kind, "secret": self.secret}}
        mux.frame(HELLO, 0, json_bytes(hello))
        if websocket.buffer:
            websocket.data_received(b"")
        self.mux = mux
        self.came_up = True
        for message in self.queue:
            mux.ctrl(message)
        try:
            await self.keep_alive(websocket, mux)
        finally:
            self.mux = None
            self.away_since = time.monotonic()
            mux.close()
            transport.abort()

    async def keep_alive(self, websocket, mux):
        loop = asyncio.get_running_loop()
        while not websocket.closed.done():
            pause = PING_SECONDS * (0.8 + 0.4 * random.random())
            await asyncio.wait([websocket.closed], timeout=pause)
            if websocket.closed.done():
                return
            if loop.time() - websocket.last_heard > SILENCE_SECONDS:
                raise OSError("nothing heard for %d s" % SILENCE_SECONDS)
            mux.frame(PING, 0, os.urandom(8))

    def on_ctrl(self, message):
        if not isinstance(message, dict):
            return
        if message.get("kind") == "stop":
            self.ask_end("stop", float(message.get("graceSeconds") or 10), False)
        elif message.get("kind") == "deadline" and isinstance(message.get("inSeconds"), (int, float)):
            self.deadline = time.monotonic() + float(message["inSeconds"])

    def tell(self, message):
        """CTRL to the portal. What must not be lost is kept and said again on every new tunnel: it is idempotent there."""
        if message["kind"] in ("phase", "exit"):
            self.queue.append(message)
        if self.mux is not None:
            self.mux.ctrl(message)

    # ---- app

    def socket_path(self):
        return os.path.join(self.private, "j.sock")

    async def run_app(self):
        if self.refusal is not None:
            raise self.refusal
        self.app = App(self.plan, self.socket_path(), self.say)
        await self.app.start()
        self.tell({"kind": "phase", "phase": "starting", "at": now()})
        if await self.app.answered(self.ready_timeout):
            self.tell({"kind": "phase", "phase": "ready", "at": now()})
        elif not self.app.exited.done() and self.ending is None:
            self.ending = "app-never-answered"
            await self.app.end(5)
            self.finish_with("app-never-answered", "no answer within %d s; last lines:\n%s" % (self.ready_timeout, "\n".join(self.app.tail)))
            return
        code, name = await self.app.exited
        if self.ending is not None:
            return
        await asyncio.sleep(0.05)  # the last lines of its output
        if code == 0:
            self.finish_with("app")
        else:
            how = "ended with status %s" % code if name is None else "was ended by %s" % name
            self.finish_with("app-failed", "the application %s; last lines:\n%s" % (how, "\n".join(self.app.tail)))

    def say(self, line):
        print(line, flush=True)

    def ask_end(self, cause, grace, own_idea):
        """Ends the app. `own_idea`: the gateway did not ask, so its clients are still there; let them leave and documents be saved."""
        if self.ending is None:
            self.ending = cause
            asyncio.ensure_future(self.end(cause, 10.0 if grace is None else grace, own_idea))

    async def end(self, cause, grace, own_idea):
        self.refusing = True
        self.tell({"kind": "phase", "phase": "ending", "at": now()})
        if self.app is not None:
            if self.mux is not None and own_idea:
                busy = bool(self.mux.streams)
                self.mux.close_streams()
                await asyncio.sleep(SAVE_SECONDS if busy else 0)
            await self.app.end(grace)
            await self.wait_until(lambda: self.app.exited.done(), 5)
        self.finish_with(cause)

    async def watch_clock(self):
        while True:
            await asyncio.sleep(1)
            at = time.monotonic()
            if self.deadline is not None and at >= self.deadline - min(LAST_SECONDS, (self.deadline - self.began) / 2):
                self.ask_end("walltime", None, True)
            elif at - self.began >= self.max_age:
                self.ask_end("max-age", None, True)
            elif self.mux is None and at - self.away_since >= self.away:
                self.ask_end("away", None, True)

    async def wait_until(self, condition, seconds):
        until = time.monotonic() + seconds
        while not condition() and time.monotonic() < until:
            await asyncio.sleep(0.01)

    def log(self, text):
        print("linkspan agent: " + text, file=sys.stderr, flush=True)


def number(settings, name, fallback):
    try:
        return float(settings.get(name) or fallback)
    except ValueError:
        raise ValueError("%s: '%s' is not a number of seconds" % (name, settings.get(name)))


def now():
    return int(time.time() * 1000)


def json_bytes(value):
    import json

    return json.dumps(value).encode()


def describe(error):
    if isinstance(error, KeyError):
        return "%s is not set" % error.args[0]
    return str(error) or type(error).__name__


def take_environment():
    """(settings, env): what is meant for us is read, then cleared; the app gets the rest."""
    settings = dict(os.environ)
    for name in list(os.environ):
        if name.startswith("LINKSPAN_"):
            del os.environ[name]
    env = {name: value for name, value in settings.items() if not name.startswith("LINKSPAN_")}
    return settings, env


def main():
    protect()
    os.umask(0o077)
    settings, env = take_environment()
    status = asyncio.run(Agent(settings, env).run())
    sys.stdout.flush()
    end_descendants(os.getpid())
    os._exit(status)


if __name__ == "__main__":
    main()
