"""Undumpable, the cleared environment, reaping, and the end of every descendant."""
import asyncio
import ctypes
import os
import signal
import subprocess
import sys

from agent.process import descendants, end_descendants, reap, signal_name
from test.agent.kit import ROOT, TOKEN, Case

LIBC = ctypes.CDLL(None)
PROTECTED = """
import os, sys, time
from agent.process import protect, take_environment
if "protect" in sys.argv: protect()
if "clear" in sys.argv:
    settings, env = take_environment()
    assert settings["LINKSPAN_ENROL"] and settings["KEEP"] == "1"
    assert "LINKSPAN_ENROL" not in env and "LINKSPAN_ENROL" not in os.environ and env["KEEP"] == "1"
    if os.fork() == 0: os.execv("/bin/sh", ["sh", "-c", "env; echo done"])
    os.wait()
print("up", flush=True)
time.sleep(60)
"""


def drop_capabilities():
    """Runs between fork and exec: what exec gives root is limited by the bounding set (capabilities(7))."""
    for capability in range(64):
        LIBC.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


class Processes(Case):
    def start(self, code, *arguments, **options):
        env = {"PYTHONPATH": ROOT, "PATH": os.environ["PATH"], "LINKSPAN_ENROL": TOKEN, "KEEP": "1"}
        made = subprocess.Popen([sys.executable, "-c", code] + list(arguments), env=env, stdout=subprocess.PIPE, **options)
        self.addCleanup(made.stdout.close)
        self.addCleanup(made.wait)
        self.addCleanup(made.kill)
        self.said = []
        while not self.said or self.said[-1] != "up":
            line = made.stdout.readline().decode()
            self.assertTrue(line, "the process has ended: %s" % self.said)
            self.said.append(line.strip())
        return made

    def test_another_process_of_the_same_uid_can_read_neither_environment_nor_memory(self):
        # Root reads everything, so the reader and the protected process run without capabilities.
        other = {"preexec_fn": drop_capabilities} if os.geteuid() == 0 else {}
        look = "cat /proc/%d/environ | tr '\\0' '\\n'; head -c 1 /proc/%d/mem; ls -l /proc/%d/fd"
        control = self.start(PROTECTED, "plain", **other)
        seen = subprocess.run(["sh", "-c", look % ((control.pid,) * 3)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **other)
        self.assertIn(TOKEN.encode(), seen.stdout, "positive control")
        self.assertIn(b" -> ", seen.stdout, "positive control")
        guarded = self.start(PROTECTED, "protect", **other)
        seen = subprocess.run(["sh", "-c", look % ((guarded.pid,) * 3)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **other)
        self.assertNotIn(TOKEN.encode(), seen.stdout)
        for name in (b"environ", b"mem"):
            self.assertRegex(seen.stdout, b"/proc/%d/%s.*Permission denied" % (guarded.pid, name))
        self.assertNotIn(b" -> ", seen.stdout)

    def test_the_token_is_also_gone_from_the_block_that_proc_shows_and_from_children(self):
        made = self.start(PROTECTED, "clear")
        self.assertIn("done", self.said)
        self.assertNotIn(TOKEN, "\n".join(self.said))
        with open("/proc/%d/environ" % made.pid, "rb") as file:
            block = file.read()
        self.assertNotIn(TOKEN.encode(), block)
        self.assertIn(b"KEEP=1", block)

    async def test_every_descendant_is_ended_also_one_that_ignores_signals_and_has_left_its_session(self):
        code = "\n".join((
            "import asyncio, os, subprocess, sys, time",
            "from agent.process import protect, end_descendants, descendants, reap",
            "import signal",
            "protect()",
            "stubborn = 'import signal,time; signal.signal(15, 1); print(1, flush=True); time.sleep(99)'",
            "subprocess.Popen(['sh', '-c', 'setsid \"$0\" -c \"$1\" & setsid sleep 99 & sleep 0.2', sys.executable, stubborn]).wait()",
            "assert len(descendants(os.getpid())) == 2, descendants(os.getpid())",
            "async def main():",
            "    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, lambda: reap(lambda *a: None))",
            "    return await end_descendants(os.getpid(), polite=0.2)",
            "print('gone', asyncio.run(main()), descendants(os.getpid()), flush=True)",
            "print('up', flush=True)",
        ))
        self.start(code)
        self.assertIn("gone True []", self.said)

    async def test_a_tree_that_keeps_forking_is_ended(self):
        forking = "import os,time\nfor _ in range(400):\n  if os.fork() == 0:\n    time.sleep(0.005)\n  else:\n    time.sleep(0.004); os._exit(0)\ntime.sleep(99)"
        code = "\n".join((
            "import asyncio, os, subprocess, sys, signal, time",
            "from agent.process import protect, end_descendants, descendants, reap",
            "protect()",
            "subprocess.Popen([sys.executable, '-c', sys.argv[1]])",
            "time.sleep(0.1)",
            "async def main():",
            "    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, lambda: reap(lambda *a: None))",
            "    return await end_descendants(os.getpid(), polite=0)",
            "print('gone', asyncio.run(main()), descendants(os.getpid()), flush=True)",
            "print('up', flush=True)",
        ))
        self.start(code, forking)
        self.assertIn("gone True []", self.said)

    def test_reaping_tells_status_and_signal(self):
        told = {}
        ended = subprocess.Popen(["sh", "-c", "exit 7"])
        killed = subprocess.Popen(["sleep", "99"])
        killed.kill()
        while len(told) < 2:
            reap(lambda pid, code, name: told.update({pid: (code, name)}))
        ended.returncode, killed.returncode = 7, -9
        self.assertEqual(told, {ended.pid: (7, None), killed.pid: (None, "SIGKILL")})
        reap(lambda *_told: self.fail("nothing is left"))
        self.assertEqual(signal_name(250), "signal 250")

    def test_descendants_are_found_below_children_and_zombies_do_not_count(self):
        made = subprocess.Popen(["sh", "-c", "sleep 99 & sleep 99 & wait"])
        try:
            while len(descendants(made.pid)) < 2:
                pass
            self.assertIn(made.pid, descendants(os.getpid()))
        finally:
            for pid in descendants(made.pid) + [made.pid]:
                os.kill(pid, signal.SIGKILL)
        while made.pid in descendants(os.getpid()):
            pass
        made.wait()
