"""The agent among processes: undumpable, subreaper of everything below it, and the end of every descendant."""
import ctypes
import os
import signal
import time

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36


def protect():
    """Nobody of the same uid can read our memory or environment (prctl(2)); orphans below us become our children."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        dumpable = libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        reaper = libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        return dumpable == 0 and reaper == 0
    except (OSError, AttributeError):
        return False  # no Linux


def descendants(root):
    """Pids below `root`, children before grandchildren."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] != b"Z":
            children.setdefault(int(fields[1]), []).append(int(name))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass


def end_descendants(root, seconds=5.0):
    """SIGKILLs everything below `root` until nothing is left; processes that fork meanwhile are caught by the next round."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        left = descendants(root)
        if not left:
            return True
        signal_all(left, signal.SIGKILL)
        reap()
        time.sleep(0.01)
    return not descendants(root)


def reap(on_exit=None):
    """Collects every child that has ended; tells (pid, code, signal)."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if on_exit is not None:
            if os.WIFSIGNALED(status):
                on_exit(pid, None, signal.Signals(os.WTERMSIG(status)).name)
            else:
                on_exit(pid, os.WEXITSTATUS(status), None)
