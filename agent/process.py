"""The agent among processes: undumpable, subreaper of everything below it, and the end of every descendant."""
import asyncio
import ctypes
import os
import signal
import time

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
POLITE_SECONDS = 0.5


def protect():
    """Nobody of the same uid can read our memory or environment (prctl(2)); orphans below us become our children. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((PR_SET_DUMPABLE, 0), (PR_SET_CHILD_SUBREAPER, 1)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(%d) failed" % option)


def take_environment():
    """(settings, env): what is meant for us is read, then cleared, also in the block that /proc/<pid>/environ shows; `env` is the rest."""
    settings = dict(os.environ)
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    for name in settings:
        if name.startswith("LINKSPAN_"):
            address = getenv(name.encode())
            if address:
                ctypes.memset(address, 0, len(os.fsencode(settings[name])))
            del os.environ[name]
    return settings, {name: value for name, value in settings.items() if not name.startswith("LINKSPAN_")}


def descendants(root):
    """Pids below `root` that still run, parents before children."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] not in (b"Z", b"X"):
            children.setdefault(int(fields[1]), []).append(int(name))
    found = list(children.get(root, []))
    for pid in found:
        found += children.get(pid, [])
    return found


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass


async def end_descendants(root, polite=POLITE_SECONDS, seconds=10.0):
    """SIGTERM, then SIGKILL until nothing is left below `root`; what forks meanwhile is caught by the next round. False if something stays."""
    began = time.monotonic()
    asked = set()
    while True:
        left = descendants(root)
        age = time.monotonic() - began
        if not left or age > seconds:
            return not left
        if age < polite:
            signal_all([pid for pid in left if pid not in asked], signal.SIGTERM)
            asked.update(left)
        else:
            signal_all(left, signal.SIGSTOP)  # or a process could fork between our reading and our signal
            signal_all(descendants(root), signal.SIGKILL)
        await asyncio.sleep(0.01)


def reap(on_exit):
    """Collects every child that has ended and tells (pid, code, name of the signal)."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if os.WIFSIGNALED(status):
            on_exit(pid, None, signal_name(os.WTERMSIG(status)))
        else:
            on_exit(pid, os.WEXITSTATUS(status), None)


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number
