"""The application: started on a private unix socket, watched until its first answer, ended with its process group."""
import asyncio
import os
import signal
import subprocess
import time

from .http1 import parse_head
from .mux import dial_unix
from .output import Output

PROBE_SECONDS = 10.0


class AppRefused(Exception):
    """The application cannot be run here; the message says what was found and what is needed."""


class App:
    """`plan` is {argv, env, cwd, ready_path, headers}."""

    def __init__(self, plan, socket_path):
        self.plan = plan
        self.socket_path = socket_path
        self.process = None
        self.output = None
        self.exited = asyncio.get_running_loop().create_future()

    async def start(self):
        """Raises AppRefused when the program cannot be executed."""
        read_end, write_end = os.pipe()
        try:
            self.process = subprocess.Popen(
                self.plan["argv"], stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end, env=self.plan["env"],
                cwd=self.plan["cwd"], start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(read_end)
            raise AppRefused("'%s' cannot be started: %s" % (self.plan["argv"][0], getattr(error, "strerror", None) or error))
        finally:
            os.close(write_end)
        _transport, self.output = await asyncio.get_running_loop().connect_read_pipe(Output, os.fdopen(read_end, "rb", 0))

    def on_exit(self, pid, code, name):
        """Called by the reaper; the process is marked as collected, so that subprocess does not wait for it again."""
        if self.process is not None and pid == self.process.pid and not self.exited.done():
            self.process.returncode = code if code is not None else -1
            self.exited.set_result((code, name))

    async def answered(self, timeout):
        """Waits for the first answer below 500 on the socket. False when the time is over or the app has ended."""
        deadline = time.monotonic() + timeout
        pause = 0.02
        while time.monotonic() < deadline and not self.exited.done():
            if os.path.exists(self.socket_path) and await self.ask(min(PROBE_SECONDS, deadline - time.monotonic())):
                return True
            await asyncio.wait([self.exited], timeout=pause)
            pause = min(pause * 1.05, 0.2)
        return False

    async def ask(self, timeout):
        try:
            return await asyncio.wait_for(self.first_status(), max(timeout, 0.01)) < 500
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return False

    async def first_status(self):
        local = await dial_unix(self.socket_path, PROBE_SECONDS)
        reader, writer = await asyncio.open_unix_connection(sock=local)
        try:
            lines = ["GET %s HTTP/1.1" % self.plan["ready_path"], "Host: localhost", "Connection: close"] + self.plan["headers"]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            return parse_head((await reader.readuntil(b"\r\n")).strip())[0] or 599
        finally:
            writer.transport.abort()

    async def end(self, grace):
        """SIGTERM to the app's group, SIGKILL after the grace (seconds)."""
        if self.process is None:
            return
        self.signal_group(signal.SIGTERM)
        await asyncio.wait([self.exited], timeout=grace)
        if not self.exited.done():
            self.signal_group(signal.SIGKILL)
            await asyncio.wait([self.exited], timeout=5)

    def signal_group(self, number):
        if not self.exited.done():
            try:
                os.killpg(self.process.pid, number)
            except OSError:
                pass

    def last_lines(self):
        return self.output.last_lines() if self.output is not None else ""

    async def last_output(self):
        """Waits a moment for what the ended app wrote last; a descendant may hold the pipe open."""
        if self.output is not None:
            await asyncio.wait([self.output.done], timeout=0.2)
