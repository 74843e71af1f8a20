// What a cell of one person can reach: each refusal with a positive control that the same thing works outside.
import { existsSync } from 'node:fs';
import { access, constants, mkdir, readdir, readFile, readlink, rename, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { descendantsOf } from '../../server/spawner/local/processes.ts';
import { localSite, specOf, type LocalSite } from '../kit/local-site.ts';
import { until } from '../kit/until.ts';

let site: LocalSite;
const closers: (() => void)[] = [];
beforeEach(async () => {
  // Not below /tmp: that is hidden in a sandbox in any case.
  site = await localSite({}, '/var/tmp');
  expect(site.spawner.sandbox).toMatchObject({ available: true });
});
afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await site.close();
});

/** Python: runs `work` and prints OK or the name of the error. */
const attempt = (name: string, work: string): string =>
  `try:\n    ${work}\n    print(${JSON.stringify(name)}, "OK", flush=True)\nexcept BaseException as error:\n    print(${JSON.stringify(name)}, type(error).__name__, flush=True)\n`;
const reading = (file: string): string => attempt(`read ${file}`, `open(${JSON.stringify(file)}, "rb").read(1)`);

/** Runs the program in a session of ada and returns its lines. */
async function inside(program: string): Promise<string[]> {
  const spec = specOf(program);
  await site.spawner.start(spec);
  await site.ended(spec.sessionId);
  return (await site.lines(spec.sessionId)).slice(1);
}

test('files of the server, keys, and homes and folders of others cannot be read', async () => {
  const bela = specOf('open(os.path.expanduser("~/diary"), "w").write("x")\nwhile True: time.sleep(1)', {
    user: { id: 'u_bbbbbbbbbbbbbbbb', slug: 'bela-00000002', name: 'Bela' },
  });
  await site.spawner.start(bela);
  const diary = path.join(site.folder, 'data/homes/bela-00000002/diary');
  await until(() => existsSync(diary), "bela's diary");
  const secrets = ['data/linkspan.sqlite', 'data/secret.key', 'linkspan.yaml', 'tls/key.pem'].map((name) =>
    path.join(site.folder, name),
  );
  for (const file of secrets) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, 'secret');
  }
  const files = [...secrets, diary, path.join(site.directoryOf(bela.sessionId), 'log'), '/etc/shadow'];
  for (const file of files) expect((await readFile(file)).length).toBeGreaterThan(0);
  expect(await inside(files.map(reading).join(''))).toEqual(files.map((file) => `read ${file} FileNotFoundError`));
});

test('keys of the machine below /etc/ssl stay outside although certificates are inside', async () => {
  const program = `print(os.path.exists("/etc/ssl/private"), os.path.exists("/etc/pki/tls/private"), len(os.listdir("/etc/ssl/certs")) > 0)`;
  expect(existsSync('/etc/ssl/private')).toBe(true);
  expect(await inside(program)).toEqual(['False False True']);
});

test("another session's socket is out of reach, its own is not", async () => {
  const bela = specOf('while True: time.sleep(1)', {
    user: { id: 'u_bbbbbbbbbbbbbbbb', slug: 'bela-00000002', name: 'Bela' },
  });
  await site.spawner.start(bela);
  const file = path.join(site.directoryOf(bela.sessionId), 'tmp/j.sock');
  const server = net.createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(file, resolve));
  closers.push(() => server.close());
  await new Promise<void>((resolve) => net.connect(file).once('connect', resolve)); // the control
  const lines = await inside(
    'import socket\n' +
      attempt('outside', `socket.socket(socket.AF_UNIX).connect(${JSON.stringify(file)})`) +
      attempt('tmp', 'socket.socket(socket.AF_UNIX).connect("/tmp/j.sock")') +
      'own = socket.socket(socket.AF_UNIX); own.bind(settings["LINKSPAN_PRIVATE_DIR"] + "/j.sock"); own.listen()\n' +
      attempt('own', 'socket.socket(socket.AF_UNIX).connect(settings["LINKSPAN_PRIVATE_DIR"] + "/j.sock")'),
  );
  expect(lines).toEqual(['outside FileNotFoundError', 'tmp FileNotFoundError', 'own OK']);
});

test("processes of the machine cannot be seen, and the agent's environment and memory cannot be read", async () => {
  const child = `
import os
def attempt(name, work):
    try:
        work(); print(name, "OK", flush=True)
    except BaseException as error:
        print(name, type(error).__name__, flush=True)
attempt("own environ", lambda: open("/proc/self/environ", "rb").read())
attempt("own memory", lambda: open("/proc/self/mem", "rb"))
attempt("agent environ", lambda: open("/proc/1/environ", "rb").read())
attempt("agent memory", lambda: open("/proc/1/mem", "rb"))
print(sorted(int(name) for name in os.listdir("/proc") if name.isdigit()) == [1, os.getpid()], flush=True)
`;
  const lines = await inside(`import subprocess\nsubprocess.run([sys.executable, "-c", ${JSON.stringify(child)}])`);
  expect(lines).toEqual([
    'own environ OK',
    'own memory OK',
    'agent environ PermissionError',
    'agent memory PermissionError',
    'True',
  ]);
});

test('the parent is out of reach: neither its /proc nor a signal nor exit.json', async () => {
  const spec = specOf('while not os.path.exists("/tmp/go"): time.sleep(0.01)\nexec(open("/tmp/go").read())');
  await site.spawner.start(spec);
  const directory = site.directoryOf(spec.sessionId);
  const { pid } = site.store.rows.get(spec.sessionId)!;
  expect((await readFile(`/proc/${pid}/stat`)).length).toBeGreaterThan(0);
  const exit = path.join(directory, 'exit.json');
  const program =
    reading(`/proc/${pid}/environ`) +
    reading(`/proc/${pid}/stat`) +
    attempt('signal', `os.kill(${pid}, 9)`) +
    attempt('exit.json', `open(${JSON.stringify(exit)}, "w").write('{"code": 0}')`) +
    attempt('folder', `os.makedirs(${JSON.stringify(directory)})`) +
    attempt('above tmp', 'open("/tmp/../exit.json", "w").write("x")') +
    'os._exit(86)';
  await until(() => existsSync(path.join(directory, 'tmp')), 'tmp');
  await writeFile(path.join(directory, 'tmp/go.new'), program);
  await rename(path.join(directory, 'tmp/go.new'), path.join(directory, 'tmp/go'));
  expect((await site.ended(spec.sessionId)).exit).toEqual({ cause: 'exited', code: 86 });
  expect((await site.lines(spec.sessionId)).slice(1)).toEqual([
    `read /proc/${pid}/environ FileNotFoundError`,
    `read /proc/${pid}/stat FileNotFoundError`,
    'signal ProcessLookupError',
    'exit.json FileNotFoundError',
    'folder OSError',
    'above tmp OSError',
  ]);
});

test('nothing of the system can be written, no capability is left, no set-user-ID program gives one', async () => {
  const lines = await inside(
    attempt('usr', 'open("/usr/x", "w")') +
      attempt('etc', 'open("/etc/passwd", "a")') +
      attempt('python', 'open(os.path.join(sys.prefix, "x"), "w")') +
      attempt('root', 'os.mkdir("/new")') +
      attempt('agent', 'open("/opt/linkspan/agent.py", "a")') +
      attempt('tmp', 'open("/tmp/x", "w")') +
      attempt('home', 'open(os.path.expanduser("~/x"), "w")') +
      'status = dict(line.split(":", 1) for line in open("/proc/self/status"))\n' +
      'print({name: status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs")}, os.getuid(), os.getgid(), flush=True)',
  );
  expect(lines).toEqual([
    'usr OSError',
    'etc OSError',
    'python OSError',
    'root OSError',
    'agent OSError',
    'tmp OK',
    'home OK',
    "{'CapEff': '0000000000000000', 'CapPrm': '0000000000000000', 'CapBnd': '0000000000000000', 'NoNewPrivs': '1'} 1000 1000",
  ]);
});

test("the kernel's switches cannot be set, not even from another namespace inside", async () => {
  const walk = `
import os
for root, dirs, files in os.walk("/proc"):
    if root == "/proc":
        dirs[:] = [name for name in dirs if not name.isdigit() and name not in ("self", "thread-self", "pressure")]
    for name in files:
        try:
            os.close(os.open(os.path.join(root, name), os.O_WRONLY))
            print("writable", os.path.join(root, name), flush=True)
        except OSError:
            pass
print("walked", flush=True)
`;
  if (process.getuid?.() === 0) await access('/proc/sys/kernel/core_pattern', constants.W_OK); // the control
  const nested = 'umount /proc/sys; mount -t proc proc /proc; test -w /proc/sys/kernel/core_pattern && echo writable';
  const lines = await inside(
    `import subprocess\nsubprocess.run([sys.executable, "-c", ${JSON.stringify(walk)}])\n` +
      `print(subprocess.run(["unshare", "-Urmpf", "sh", "-c", ${JSON.stringify(nested)}], capture_output=True, text=True).stdout, "end", flush=True)`,
  );
  expect(lines).toEqual(['walked', ' end']);
});

test('names, certificates and time zone work inside, and the portal on loopback can be reached', async () => {
  const server = http.createServer((_request, response) => response.end('portal'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const lines = await inside(
    'import getpass, grp, pwd, socket, ssl, urllib.request\n' +
      'print(getpass.getuser(), pwd.getpwuid(os.getuid()).pw_dir, grp.getgrgid(1000).gr_name, len(pwd.getpwall()))\n' +
      'print(socket.gethostname(), socket.gethostbyname(socket.gethostname()), socket.gethostbyname("localhost"))\n' +
      'print(len(ssl.create_default_context().get_ca_certs()) > 0)\n' +
      `print(urllib.request.urlopen("http://127.0.0.1:${port}").read().decode(), os.getcwd(), flush=True)`,
  );
  expect(lines).toEqual([
    'ada-00000001 /home/ada-00000001 ada-00000001 2',
    'session 127.0.0.1 127.0.0.1',
    'True',
    'portal /home/ada-00000001',
  ]);
});

test('open files of the server and its terminal are not handed on', async () => {
  const spec = specOf(
    'print(sorted(os.listdir("/proc/self/fd")), os.getsid(0) in (0, 1), flush=True)\ntime.sleep(600)',
  );
  await site.spawner.start(spec);
  const lines = await until(async () => {
    const seen = await site.lines(spec.sessionId);
    return seen.length > 1 ? seen : undefined;
  }, 'output');
  expect(lines[1]).toMatch(/^\['0', '1', '2'(, '3')?\] True$/);
  const { pid } = site.store.rows.get(spec.sessionId)!;
  const open = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  );
  const own = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  const shared = open.filter((name) => /^(pipe|socket):/.test(name) && own.includes(name));
  expect(shared).toEqual([]);
  expect(open.slice(0, 3)).toEqual(['/dev/null', '/dev/null', '/dev/null']);
  expect(descendantsOf(pid).length).toBeGreaterThan(0);
});
