"""The tiny parent of a local session: outside the sandbox, in a process session of its own, it outlives the server.

It starts the command, writes its output to a log that it rotates, and when the command ends it ends every process below,
then writes exit.json. A cell can neither forge nor lose that file. The job comes as JSON on standard input and is never on disk.
SIGTERM = ask the agent to end; SIGUSR1 = end everything now.
"""
import fcntl
import json
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def main():
    job = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    os.close(0)
    os.umask(0o077)
    directory = job["directory"]
    lock = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os._exit(75)  # another parent of this session lives
    if os.path.exists(os.path.join(directory, "exit.json")):
        os._exit(75)  # this run is over already
    become_subreaper()

    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, lambda *_: None)

    out_read, out_write = os.pipe()
    info_read, info_write = os.pipe()
    os.set_inheritable(info_write, True)
    argv = [part.replace("{info}", str(info_write)) for part in job["argv"]]
    child = os.fork()
    if child == 0:
        run_child(argv, job["env"], job["cwd"], out_write)
    os.close(out_write)
    os.close(info_write)
    job["env"] = None

    agent = read_child_pid(info_read) if job["sandboxed"] else child
    put(directory, "process.json", {"pid": os.getpid(), "startTime": start_time(os.getpid()), "agent": agent, "agentStartTime": start_time(agent)})
    log = Log(os.path.join(directory, "log"), job["logBytes"], job["logFiles"])
    code, signal_name = watch(child, agent, out_read, wake_read, log)
    put(directory, "exit.json", {"code": code, "signal": signal_name, "at": int(time.time() * 1000)})


def run_child(argv, env, cwd, out):
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(cwd)
        os.execve(argv[0], argv, env)
    except BaseException as error:
        os.write(2, ("cannot start %s: %s\n" % (argv[0], error)).encode())
    os._exit(127)


def watch(child, agent, out, wake, log):
    """Copies output until the child has ended and nothing is below us any more. Returns (code, signal)."""
    ended = None
    open_out = True
    while True:
        wanted = [wake] + ([out] if open_out else [])
        ready, _, _ = select.select(wanted, [], [], 0.05 if ended else 60)
        if out in ready:
            data = os.read(out, 65536)
            if data:
                log.write(data)
            else:
                open_out = False
        if wake in ready:
            numbers = os.read(wake, 4096)
            if signal.SIGTERM in numbers:
                kill(agent or child, signal.SIGTERM)
            if signal.SIGUSR1 in numbers:
                end_all()
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == child:
                ended = exit_of(status)
        if ended is not None:
            end_all()
            if not descendants(os.getpid()) and not open_out:
                return ended


def exit_of(status):
    if os.WIFSIGNALED(status):
        return None, signal.Signals(os.WTERMSIG(status)).name
    return os.WEXITSTATUS(status), None


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


def become_subreaper():
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass


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
    except (OSError, TypeError):
        pass


def put(directory, name, value):
    """Atomic: a reader sees the whole file or none."""
    temporary = os.path.join(directory, "." + name)
    with open(temporary, "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, os.path.join(directory, name))


class Log:
    """log, log.1, log.2 ...: the newest is `log`."""

    def __init__(self, path, most_bytes, files):
        self.path = path
        self.most = most_bytes
        self.files = files
        self.open()

    def open(self):
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.size = os.fstat(self.fd).st_size

    def write(self, data):
        if self.size > 0 and self.size + len(data) > self.most:
            os.close(self.fd)
            for index in range(self.files - 1, 0, -1):
                older = self.path if index == 1 else "%s.%d" % (self.path, index - 1)
                if os.path.exists(older):
                    os.rename(older, "%s.%d" % (self.path, index))
            self.open()
        os.write(self.fd, data)
        self.size += len(data)


main()
