"""A stand-in for the agent in tests of the spawner: keeps what the agent promises to the machine (undumpable, subreaper,
ends on SIGTERM) and carries out the orders of LINKSPAN_APP's argv, one Python program text, with `agent` at hand."""
import ctypes
import json
import os
import signal
import sys
import time

libc = ctypes.CDLL(None)
libc.prctl(4, 0, 0, 0, 0)
libc.prctl(36, 1, 0, 0, 0)
settings = dict(os.environ)
for name in list(os.environ):
    if name.startswith("LINKSPAN_"):
        del os.environ[name]


def on_term(*_):
    print("told to end", flush=True)
    os._exit(81)


signal.signal(signal.SIGTERM, on_term)
program = json.loads(settings["LINKSPAN_APP"])["argv"][0]
print("agent up", flush=True)
exec(program, {"settings": settings, "os": os, "sys": sys, "signal": signal, "time": time, "json": json})
sys.stdout.flush()
