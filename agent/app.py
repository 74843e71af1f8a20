"""The application: started on a private unix socket, watched until its first answer, ended with everything below it."""
import asyncio
import os
import signal
import subprocess
import time
from collections import deque


class AppRefused(Exception):
    """The application cannot be run here; the message says what was found and what is needed."""


class App:
    """`plan` is {argv, env, cwd, ready_path, headers}; `say` gets each line of output."""

    def __init__(self, plan, socket_path, say):
        self.plan = plan
        self.socket_path = socket_path
        self.say = say
        self.process = None
        self.tail = deque(maxlen=20)
        self.exited = asyncio.get_running_loop().create_future()
        self.started_at = None

    async def start(self):
        read_end, write_end = os.pipe()
        try:
            self.process = subprocess.Popen(
                self.plan["argv"], stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end, env=self.plan["env"],
                cwd=self.plan["cwd"], start_new_session=True,
            )
        except OSError as error:
            os.close(read_end)
            raise AppRefused("'%s' cannot be started: %s" % (self.plan["argv"][0], error.strerror))
        finally:
            os.close(write_end)
        self.started_at = time.time()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: Lines(self.line), os.fdopen(read_end, "rb", 0))

    def line(self, text):
        self.tail.append(text)
        self.say(text)

    def on_exit(self, pid, code, signal_name):
        """Called by the reaper; ours is marked as collected, so that subprocess does not wait for it again."""
        if self.process is not None and pid == self.process.pid and not self.exited.done():
            self.process.returncode = code if code is not None else -getattr(signal, signal_name)
            self.exited.set_result((code, signal_name))

    async def answered(self, timeout):
        """Waits for the first answer below 500 on the socket. False when the time is over or the app has ended."""
        deadline = time.monotonic() + timeout
        pause = 0.02
        while time.monotonic() < deadline and not self.exited.done():
            if os.path.exists(self.socket_path) and await self.ask():
                return True
            await asyncio.sleep(pause)
            pause = min(pause * 1.1, 0.1)
        return False

    async def ask(self):
        writer = None
        try:
            reader, writer = await asyncio.open_unix_connection(self.socket_path)
            lines = ["GET %s HTTP/1.1" % self.plan["ready_path"], "Host: localhost", "Connection: close"] + self.plan["headers"]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            answer = await asyncio.wait_for(reader.readline(), 10)
            words = answer.split(b" ")
            return len(words) > 1 and words[1].isdigit() and int(words[1]) < 500
        except (OSError, asyncio.TimeoutError):
            return False
        finally:
            if writer is not None:
                writer.close()

    async def end(self, grace):
        """SIGTERM to the app, SIGKILL to its group after the grace (seconds)."""
        if self.process is None or self.exited.done():
            return
        self.process_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(self.exited), grace)
        except asyncio.TimeoutError:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except OSError:
                pass

    def process_signal(self, number):
        try:
            os.kill(self.process.pid, number)
        except OSError:
            pass


class Lines(asyncio.Protocol):
    """Cuts output into lines of at most 4,000 characters."""

    def __init__(self, line):
        self.line = line
        self.rest = b""

    def data_received(self, data):
        parts = (self.rest + data).split(b"\n")
        self.rest = parts.pop()[-4000:]
        for part in parts:
            self.line(part.decode("utf-8", "replace").rstrip("\r")[:4000])

    def connection_lost(self, exc):
        if self.rest:
            self.line(self.rest.decode("utf-8", "replace"))
