"""The tiny parent of a local session: outside the sandbox, in a process session of its own, it outlives the server.

It starts the command, writes its output to a log that it rotates, and when the command ends it ends every process below,
then writes exit.json. A cell can neither forge nor lose that file. The job comes as JSON on standard input and is never on
disk; one line of answer goes to standard output, then nothing is held of the server's any more.
SIGTERM = ask the agent to end; SIGUSR1 = end everything now.
"""
import ctypes
import fcntl
import json
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGHUP)
ASK_AGAIN_SECONDS = 0.25  # the first process of a sandbox loses a SIGTERM that comes before it has a handler

libc = ctypes.CDLL(None)


def main():
    try:
        job = json.loads(sys.stdin.buffer.read().decode("utf-8"))
        os.closerange(3, 4096)  # what the server's own starter left open
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.umask(0o077)
        directory = job["directory"]
        held = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return answer(null, {"state": "taken"})
        if os.path.exists(os.path.join(directory, "exit.json")):
            return answer(null, {"state": "over"})
        log = Log(os.path.join(directory, "log"), job["logBytes"], job["logFiles"])
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # the job holds the enrolment token
        wake, wake_write = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        out, out_write = os.pipe()
        info, info_write = os.pipe()
        child = os.fork()
        if child == 0:
            run_child(job, null, out_write, info_write)
    except (OSError, ValueError, KeyError) as error:
        return answer(1, {"state": "failed", "reason": str(error)})
    os.close(out_write)
    os.close(info_write)
    answer(null, {"state": "started", "pid": os.getpid(), "startTime": start_time(os.getpid())})
    agent = read_child_pid(info) if job["sandboxed"] else child
    put(directory, "process.json", {"pid": os.getpid(), "startTime": start_time(os.getpid()), "agent": agent, "agentStartTime": start_time(agent)}, 1)
    code, name = watch(child, agent or child, out, wake, log)
    if job["sandboxed"] and code is not None and code > 128:
        code, name = None, signal_name(code - 128)  # so bubblewrap tells a signal
    oom = leave_cgroups(job["cgroups"])
    put(directory, "exit.json", {"code": code, "signal": name, "oom": oom, "at": int(time.time() * 1000)}, 86400)


def answer(null, value):
    try:
        os.write(1, json.dumps(value).encode() + b"\n")
    except OSError:
        pass  # the server has gone meanwhile
    os.dup2(null, 1)


def run_child(job, null, out, info):
    try:
        os.setsid()
        if not job["sandboxed"]:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)  # bubblewrap has --die-with-parent
        for number in SIGNALS + (signal.SIGPIPE,):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(null, 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.set_inheritable(info, job["sandboxed"])
        for group in job["cgroups"]:
            with open(os.path.join(group, "cgroup.procs"), "w") as file:
                file.write("0")
        os.chdir(job["cwd"])
        argv = [part.replace("{info}", str(info)) for part in job["argv"]]
        os.execve(argv[0], argv, job["env"])
    except BaseException as error:
        os.write(2, ("cannot start %s: %s\n" % (job["argv"][0], error)).encode())
    os._exit(127)


def watch(child, agent, out, wake, log):
    """Copies output until the child has ended and nothing is below us any more. Returns (code, signal)."""
    os.set_blocking(out, False)
    born = start_time(agent)
    ended, asked, killing, reading = None, False, False, True
    ask_at = 0.0
    while True:
        pause = 0.02 if ended or killing else ASK_AGAIN_SECONDS if asked else None
        ready = select.select([wake] + ([out] if reading else []), [], [], pause)[0]
        if wake in ready:
            numbers = os.read(wake, 4096)
            asked = asked or signal.SIGTERM in numbers
            killing = killing or signal.SIGUSR1 in numbers
        reading = reading and (out not in ready or copy(out, log) is not False)
        status = reap(child)
        ended = ended or (status is not None and exit_of(status)) or None
        if ended or killing:
            end_all()
        elif asked and time.monotonic() >= ask_at and start_time(agent) == born:
            # Not for every line that it writes: an agent that is ending must not be hit again.
            ask_at = time.monotonic() + ASK_AGAIN_SECONDS
            kill(agent, signal.SIGTERM)
        if ended and not descendants(os.getpid()):
            # Nobody of ours writes any more; the end of the pipe is not awaited: its descriptor can be handed to strangers.
            for _ in range(32):
                if not copy(out, log):
                    break
            return ended


def copy(out, log):
    """What is there now, at most one pipe full. None: nothing at the moment; False: the pipe is at its end."""
    try:
        data = os.read(out, 65536)
    except BlockingIOError:
        return None
    log.write(data)
    return bool(data)


def reap(child):
    """Collects whoever has ended; returns the status of `child` when it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = status


def exit_of(status):
    if os.WIFSIGNALED(status):
        return None, signal_name(os.WTERMSIG(status))
    return os.WEXITSTATUS(status), None


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "SIG%d" % number


def read_child_pid(fd):
    """bubblewrap tells the pid of its child as JSON on --info-fd; None when it failed before."""
    text = b""
    while True:
        part = os.read(fd, 4096)
        if not part:
            break
        text += part
    os.close(fd)
    try:
        return json.loads(text.decode("utf-8"))["child-pid"]
    except (ValueError, KeyError):
        return None


def start_time(pid):
    """Field 22 of /proc/<pid>/stat (proc(5)): with the pid and the boot id it names a process for good."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, TypeError, IndexError):
        return None


def descendants(root):
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] != b"Z":
                children.setdefault(int(fields[1]), []).append(int(name))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def end_all():
    for pid in descendants(os.getpid()):
        kill(pid, signal.SIGKILL)


def kill(pid, number):
    try:
        os.kill(pid, number)
    except OSError:
        pass


def leave_cgroups(groups):
    """Removes the session's control groups; tells whether the kernel killed in them for want of memory."""
    oom = False
    for group in groups:
        for name in ("memory.events", "memory.oom_control"):
            try:
                with open(os.path.join(group, name)) as file:
                    counts = dict(line.split() for line in file)
                oom = oom or int(counts.get("oom_kill", 0)) > 0
            except (OSError, ValueError):
                pass
        for _ in range(50):
            try:
                os.rmdir(group)
                break
            except OSError:
                time.sleep(0.02)  # busy until the kernel has let go of the last process
    return oom


def put(directory, name, value, tries):
    """Atomic: a reader sees the whole file or none. A full disk is waited for, a second for each try."""
    temporary = os.path.join(directory, "." + name)
    while tries > 0 and os.path.isdir(directory):
        tries -= 1
        try:
            with open(temporary, "w") as file:
                json.dump(value, file)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, os.path.join(directory, name))
            return
        except OSError:
            time.sleep(1 if tries else 0)


class Log:
    """log, log.1, log.2 ...: the newest is `log`; none grows past `most` bytes. What a full disk refuses is dropped."""

    def __init__(self, path, most, files):
        self.path = path
        self.most = most
        self.files = files
        self.open()

    def open(self):
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = os.fstat(self.fd).st_size

    def write(self, data):
        try:
            while data:
                if self.size >= self.most:
                    self.rotate()
                written = os.write(self.fd, data[: self.most - self.size])
                self.size += written
                data = data[written:]
        except OSError:
            pass

    def rotate(self):
        for index in range(self.files - 1, 0, -1):
            older = self.path if index == 1 else "%s.%d" % (self.path, index - 1)
            if os.path.exists(older):
                os.rename(older, "%s.%d" % (self.path, index))
        previous = self.fd
        self.open()
        os.close(previous)


main()
