"""The agent's life: read and clear the environment, enrol, then dial and start the app at the same time; end with a cause."""
import asyncio
import os
import signal
import socket
import sys
import time

from .app import App, AppRefused
from .dial import Portal
from .enrol import Ended, Enrolment, new_secret
from .plan import make_plan, read_app
from .private import make_private
from .process import end_descendants, protect, reap, take_environment
from .tunnel import Tunnel
from .wire import INITIAL_WINDOW_BYTES, MAX_STREAMS

VERSION = "0.1.0"
# Exit status: the cause of the end (contract/tunnel.ts, agentExit).
STATUS = {"app": 0, "stop": 81, "walltime": 82, "max-age": 83, "away": 84, "refused": 85, "app-failed": 86, "app-never-answered": 87}
SAVE_SECONDS = 2.0  # jupyter-collaboration saves 1 s after the last change
GRACE_SECONDS = 10.0
LAST_SECONDS = 60.0  # how long before the walltime the app is stopped
LAST_WORDS_SECONDS = 3.0


class Agent:
    def __init__(self, settings, env):
        self.settings = settings
        self.env = env
        self.began = time.monotonic()
        self.private = None
        self.app = None
        self.tunnel = None
        self.ending = None
        self.over = None  # (cause, message)
        self.deadline = None
        self.deadline_told = self.began

    async def run(self):
        """Lives until the end; returns the exit status."""
        loop = asyncio.get_running_loop()
        self.over = loop.create_future()
        loop.add_signal_handler(signal.SIGCHLD, self.on_child)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_end, "stop", GRACE_SECONDS, True)
        work = []
        try:
            await self.set_up()
            tasks = (self.enrol_and_dial(), self.watch_clock())
            work = [asyncio.ensure_future(self.guard(task)) for task in tasks]
            cause, message = await self.over
        except (AppRefused, OSError, ValueError) as error:
            cause, message = "refused", str(error)
        return await self.finish(cause, message, work)

    async def set_up(self):
        """All that can be wrong before anybody is asked. Raises AppRefused, OSError, ValueError."""
        for name in ("LINKSPAN_URL", "LINKSPAN_ENROL"):
            if not self.settings.get(name):
                raise ValueError("%s is not set" % name)
        self.max_age = seconds(self.settings, "LINKSPAN_MAX_AGE", 7 * 86400)
        self.away = seconds(self.settings, "LINKSPAN_AWAY", 86400)
        self.ready_timeout = seconds(self.settings, "LINKSPAN_READY_TIMEOUT", 120)
        walltime = seconds(self.settings, "LINKSPAN_WALLTIME", 0)
        if walltime:
            self.deadline = self.began + walltime
        portal = Portal(self.settings["LINKSPAN_URL"], self.settings)
        app = read_app(self.settings.get("LINKSPAN_APP"))
        self.private = make_private(self.settings)
        socket_path = os.path.join(self.private, "j.sock")
        secret = new_secret()
        self.enrolment = Enrolment(portal, self.settings.pop("LINKSPAN_ENROL"))
        hello = {
            "v": 1, "window": INITIAL_WINDOW_BYTES, "maxStreams": MAX_STREAMS,
            "agent": {"version": VERSION, "python": "%d.%d.%d" % sys.version_info[:3], "host": socket.gethostname(), "pid": os.getpid()},
            "app": {"kind": app["kind"], "secret": secret},
        }
        self.tunnel = Tunnel(portal, self.enrolment, hello, socket_path, self.on_ctrl, self.log)
        self.prepare = lambda: App(make_plan(app, self.private, self.env, secret), socket_path)

    async def guard(self, work):
        """A part of the agent that fails ends the agent, with its reason."""
        try:
            await work
        except Ended as end:
            self.ask_end(end.cause, GRACE_SECONDS, True, str(end))
        except AppRefused as error:
            self.end_with("refused", str(error))
        except Exception as error:
            self.end_with("refused", "%s: %s" % (type(error).__name__, error))

    async def enrol_and_dial(self):
        await self.enrolment.run(self.log, time.monotonic)
        self.tunnel.away_since = time.monotonic()
        await asyncio.gather(self.guard(self.tunnel.keep()), self.guard(self.run_app()))

    # ---- the app

    async def run_app(self):
        if self.ending is not None:
            return
        app = self.app = self.prepare()
        await app.start()
        self.tunnel.tell({"kind": "phase", "phase": "starting", "at": now()})
        ready = await app.answered(self.ready_timeout)
        if self.ending is not None:
            return
        if ready:
            self.tunnel.tell({"kind": "phase", "phase": "ready", "at": now()})
        elif not app.exited.done():
            await self.never_answered(app)
            return
        code, name = await app.exited
        if self.ending is not None:
            return
        await app.last_output()
        if ready and code == 0:
            self.end_with("app", "")
        else:
            how = "ended with status %d" % code if name is None else "was ended by %s" % name
            self.end_with("app-failed", "The application %s%s. Its last lines:\n%s" % (how, "" if ready else " before it answered", app.last_lines()))

    async def never_answered(self, app):
        self.ending = "app-never-answered"
        await app.end(5)
        await app.last_output()
        self.end_with("app-never-answered", "The application did not answer within %d s. Its last lines:\n%s" % (self.ready_timeout, app.last_lines()))

    def on_child(self):
        reap(self.app.on_exit if self.app is not None else lambda pid, code, name: None)

    # ---- the end

    def on_ctrl(self, message):
        """CTRL of the gateway; what is unknown or malformed is ignored."""
        if not isinstance(message, dict):
            return
        if message.get("kind") == "stop" and is_number(message.get("graceSeconds")):
            self.ask_end("stop", min(600.0, max(0.0, message["graceSeconds"])), False)
        elif message.get("kind") == "deadline" and is_number(message.get("inSeconds")):
            self.deadline_told = time.monotonic()
            self.deadline = self.deadline_told + message["inSeconds"]

    def ask_end(self, cause, grace, own_idea, message=""):
        """Ends the app. `own_idea`: the gateway did not ask, so its clients are still there; they are let go and documents saved."""
        if self.ending is None and not self.over.done():
            self.ending = cause
            self.end_task = asyncio.ensure_future(self.end(cause, grace, own_idea, message))

    async def end(self, cause, grace, own_idea, message):
        if self.tunnel is not None:
            self.tunnel.tell({"kind": "phase", "phase": "ending", "at": now()})
            self.tunnel.refuse()
            if own_idea and self.tunnel.close_streams():
                await asyncio.sleep(SAVE_SECONDS)
        if self.app is not None:
            await self.app.end(grace)
        self.end_with(cause, message)

    def end_with(self, cause, message):
        if not self.over.done():
            self.over.set_result((cause, message))

    async def watch_clock(self):
        while True:
            at = time.monotonic()
            if self.deadline is not None:
                # A walltime shorter than two minutes is halved: there must be time to work as well.
                last = min(LAST_SECONDS, max(0.0, self.deadline - self.deadline_told) / 2)
                if at >= self.deadline - last:
                    self.ask_end("walltime", GRACE_SECONDS, True)
            if at - self.began >= self.max_age:
                self.ask_end("max-age", GRACE_SECONDS, True)
            if self.enrolment.epoch is not None and self.tunnel.mux is None and at - self.tunnel.away_since >= self.away:
                self.ask_end("away", GRACE_SECONDS, True)
            await asyncio.sleep(0.5)

    async def finish(self, cause, message, work):
        """Nothing of the session is left behind; then the cause is told and the tunnel closed."""
        if message:
            self.log(message)
        if not await end_descendants(os.getpid()):
            self.log("some processes of the session could not be ended")
        if self.app is not None:
            await self.app.last_output()
        if self.tunnel is not None and self.enrolment.epoch is not None:
            code, name = self.app.exited.result() if self.app is not None and self.app.exited.done() else (None, None)
            words = {"kind": "exit", "at": now(), "code": code, "signal": name, "cause": cause}
            if message:
                words["message"] = message[:4000]
            self.tunnel.tell(words)
            await self.tunnel.heard(0 if cause == "away" else LAST_WORDS_SECONDS)
            await self.tunnel.close()
        for task in work:
            task.cancel()
        if self.private:
            import shutil

            shutil.rmtree(self.private, ignore_errors=True)
        return STATUS[cause]

    def log(self, text):
        print("linkspan agent: " + text, file=sys.stderr, flush=True)


def seconds(settings, name, fallback):
    """Raises ValueError."""
    value = settings.get(name)
    try:
        return float(value) if value else float(fallback)
    except ValueError:
        raise ValueError("%s: '%s' is not a number of seconds" % (name, value))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def now():
    return int(time.time() * 1000)


def main():
    protect()
    os.umask(0o077)
    settings, env = take_environment()
    status = asyncio.run(Agent(settings, env).run())
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
