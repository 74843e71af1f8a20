"""Kernel manager that starts ipykernel without its loopback TCP listeners."""
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

_SHIM = """
import sys
if sys.path and sys.path[0] == "":
    del sys.path[0]
import os, atexit
try:
    import zmq
    from zmq.eventloop.zmqstream import ZMQStream
    from ipykernel import iostream

    def _addr(pid):
        d = os.environ.get("JUPYTER_RUNTIME_DIR") or "/tmp"
        return os.path.join(d, "p%d" % pid)

    def _setup_pipe_in(self):              # output of forked children, over ipc instead of tcp
        self._pipe_uuid = os.urandom(16)
        s = self.socket.context.socket(zmq.PULL)
        s.linger = 0
        self._pipe_path = _addr(os.getpid())
        s.bind("ipc://" + self._pipe_path)
        me, path = os.getpid(), self._pipe_path
        atexit.register(lambda: os.getpid() == me and os.path.exists(path) and os.unlink(path))
        self._pipe_in = ZMQStream(s, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def _setup_pipe_out(self):
        ctx = zmq.Context()
        s = ctx.socket(zmq.PUSH)
        s.linger = 3000
        s.connect("ipc://" + self._pipe_path)
        return ctx, s

    iostream.IOPubThread._setup_pipe_in = _setup_pipe_in
    iostream.IOPubThread._setup_pipe_out = _setup_pipe_out
    sys.modules["debugpy"] = None          # ipykernel's debugger would listen on 127.0.0.1, for everybody on the node
    from ipykernel import debugger
    del sys.modules["debugpy"]             # a person may still import it
    debugger._is_debugpy_available = False
except Exception as e:
    print("linkspan shim not applied:", e, file=sys.__stderr__)
from ipykernel import kernelapp
kernelapp.launch_new_instance()
"""


class QuietKernelManager(ServerKernelManager):
    def format_kernel_cmd(self, extra_arguments=None):
        cmd = super().format_kernel_cmd(extra_arguments)
        for i in range(len(cmd) - 1):
            if cmd[i] == "-m" and cmd[i + 1] in ("ipykernel_launcher", "ipykernel"):
                return [*cmd[:i], "-c", _SHIM, *cmd[i + 2:]]
        return cmd
