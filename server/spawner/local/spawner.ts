// Sessions as processes of this machine: parent -> sandbox -> agent -> app. Adopts what runs after a restart of the server.
import { mkdir, rm, access, constants } from 'node:fs/promises';
import { watch, type FSWatcher } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PortalError } from '../../../contract/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { SessionSpec } from '../spec.ts';
import type { Fact, SiteHealth, Spawner } from '../spawner.ts';
import { endedFact, lostFact, readExit, readProcess } from './exit.ts';
import { launch, logFiles } from './launch.ts';
import { followLines, tailLines } from './log-file.ts';
import { isAlive, killTree, readBootId, signalTo, statOf, type LocalProcess, type ProcessStore } from './processes.ts';
import { unfit, type PythonFacts } from './python.ts';
import type { Sandbox } from './sandbox.ts';

export interface LocalOptions {
  /** Holds one folder per session. */
  sessionsDir: string;
  homesDir: string;
  agentFile: string;
  python: PythonFacts | { problem: string };
  sandbox: Sandbox;
  store: ProcessStore;
  clock: Clock;
  log: Log;
  /** Size at which a session's log is rotated, bytes. */
  logBytes?: number;
  bootId?: string;
}

interface Seen {
  report: (fact: Fact) => void;
}

export class LocalSpawner implements Spawner {
  readonly #options: LocalOptions;
  readonly #bootId: string;
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #watched = new Map<string, { close(): void }>();
  #seen: Seen | undefined;

  constructor(options: LocalOptions) {
    this.#options = options;
    this.#bootId = options.bootId ?? readBootId();
  }

  start(spec: SessionSpec): Promise<void> {
    return this.#inTurn(spec.sessionId, async () => {
      const { store, clock, python, sandbox, agentFile } = this.#options;
      const known = await store.get(spec.sessionId);
      if (known && (await this.#current(known))) return;
      if ('problem' in python) throw new PortalError('start-failed', { message: `${python.problem}.` });
      const reason = spec.app.kind === 'jupyterlab' ? unfit(python) : undefined;
      if (reason !== undefined) throw new PortalError('start-failed', { message: `${reason}.` });

      const directory = this.#directory(spec.sessionId);
      await this.#makeDirectory(directory);
      const row: LocalProcess = {
        sessionId: spec.sessionId,
        pid: 0,
        startTime: '',
        bootId: this.#bootId,
        directory,
        createdAt: clock.now(),
      };
      await store.put(row);
      this.#report({ sessionId: spec.sessionId, at: clock.now(), kind: 'submitted' });
      const home = path.join(this.#options.homesDir, spec.user.slug);
      const pid = await launch({
        spec,
        directory,
        home,
        python,
        agentFile,
        sandbox,
        logBytes: this.#options.logBytes ?? 1_048_576,
      });
      await store.put({ ...row, pid, startTime: statOf(pid)?.startTime ?? '' });
      this.#report({
        sessionId: spec.sessionId,
        at: clock.now(),
        kind: 'running',
        node: os.hostname(),
        jobId: String(pid),
      });
      this.#watch(spec.sessionId, directory);
    });
  }

  stop(sessionId: string, how: { graceSeconds: number }): Promise<void> {
    return this.#inTurn(sessionId, async () => {
      const row = await this.#options.store.get(sessionId);
      if (!row) return;
      const current = await this.#current(row);
      if (current) {
        signalTo(current.pid, 'SIGTERM');
        if (!(await this.#waitGone(current, how.graceSeconds))) signalTo(current.pid, 'SIGUSR1');
        if (!(await this.#waitGone(current, 5))) killTree(current.pid);
        if (!(await this.#waitGone(current, 5))) {
          throw new PortalError('start-failed', {
            message: 'Processes of the session do not end.',
            detail: { sessionId, pid: current.pid },
          });
        }
      }
      await this.#killOrphan(row);
      await this.#settle(row);
    });
  }

  observe(see: { report: (fact: Fact) => void; synced: () => void }): { close(): void } {
    this.#seen = see;
    void (async () => {
      for (const row of await this.#options.store.list()) {
        if (await this.#current(row)) {
          this.#report({
            sessionId: row.sessionId,
            at: this.#options.clock.now(),
            kind: 'running',
            node: os.hostname(),
            jobId: String(row.pid),
          });
          this.#watch(row.sessionId, row.directory);
        } else await this.#settle(row);
      }
      see.synced();
    })().catch((error: unknown) => this.#options.log.error({ err: error }, 'local sessions cannot be read'));
    return {
      close: () => {
        this.#seen = undefined;
        for (const one of this.#watched.values()) one.close();
        this.#watched.clear();
      },
    };
  }

  async *logs(
    sessionId: string,
    want: { tailLines: number; follow: boolean; signal?: AbortSignal },
  ): AsyncIterable<string> {
    const directory = this.#directory(sessionId);
    yield* await tailLines(directory, logFiles, want.tailLines);
    if (!want.follow) return;
    const ended = async (): Promise<boolean> => (await readExit(directory)) !== undefined;
    yield* followLines(directory, ended, () => this.#options.clock.sleep(500), want.signal);
  }

  async forget(sessionId: string): Promise<void> {
    await this.#options.store.remove(sessionId);
    await rm(this.#directory(sessionId), { recursive: true, force: true });
  }

  async check(): Promise<SiteHealth> {
    const { python, homesDir, sessionsDir, sandbox } = this.#options;
    const reason = 'problem' in python ? python.problem : unfit(python);
    if (reason !== undefined) return { health: 'down', message: reason };
    for (const folder of [homesDir, sessionsDir]) {
      const problem = await access(folder, constants.W_OK | constants.X_OK).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (problem !== undefined) return { health: 'down', message: `'${folder}' is not writable (${problem})` };
    }
    if (!sandbox.available) return { health: 'degraded', message: `Sessions run without a sandbox: ${sandbox.reason}` };
    return { health: 'ok', message: null };
  }

  // ---- private

  #directory(sessionId: string): string {
    return path.join(this.#options.sessionsDir, sessionId);
  }

  async #makeDirectory(directory: string): Promise<void> {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new PortalError('start-failed', {
        message: `The data directory cannot be written (${(error as Error).message}).`,
        cause: error,
      });
    }
  }

  /** The living parent of a row; a row that recorded only the intent is completed from what the parent wrote. */
  async #current(row: LocalProcess): Promise<LocalProcess | undefined> {
    if (isAlive(row, this.#bootId)) return row;
    if (row.pid !== 0 || row.bootId !== this.#bootId) return undefined;
    const written = await readProcess(row.directory);
    if (!written?.startTime) return undefined;
    const completed = { ...row, pid: written.pid, startTime: written.startTime };
    await this.#options.store.put(completed);
    return isAlive(completed, this.#bootId) ? completed : undefined;
  }

  /** Only where the parent itself was killed and there is no sandbox: the agent below may still live. */
  async #killOrphan(row: LocalProcess): Promise<void> {
    const written = await readProcess(row.directory);
    if (!written?.agent || !written.agentStartTime || row.bootId !== this.#bootId) return;
    if (isAlive({ pid: written.agent, startTime: written.agentStartTime, bootId: row.bootId }, this.#bootId))
      killTree(written.agent);
  }

  async #settle(row: LocalProcess): Promise<void> {
    const exit = await readExit(row.directory);
    this.#watched.get(row.sessionId)?.close();
    this.#watched.delete(row.sessionId);
    const at = this.#options.clock.now();
    this.#report(exit ? endedFact(row.sessionId, exit) : lostFact(row.sessionId, at, row.bootId !== this.#bootId));
    await rm(path.join(row.directory, 'tmp'), { recursive: true, force: true });
  }

  /** Tells the end as soon as exit.json appears; a slow poll finds a parent that was killed. */
  #watch(sessionId: string, directory: string): void {
    if (this.#watched.has(sessionId)) return;
    let timer: { close(): void } | undefined;
    let watcher: FSWatcher | undefined;
    const look = async (): Promise<void> => {
      const row = await this.#options.store.get(sessionId);
      if (!row || !this.#watched.has(sessionId)) return;
      if ((await readExit(directory)) !== undefined || !(await this.#current(row))) await this.#settle(row);
    };
    const quiet = (): void =>
      void look().catch((error: unknown) =>
        this.#options.log.warn({ err: error, session: sessionId }, 'cannot look at a session'),
      );
    const poll = (): void => {
      quiet();
      timer = this.#options.clock.after(3000, poll);
    };
    timer = this.#options.clock.after(3000, poll);
    try {
      watcher = watch(directory, { persistent: false }, (_event, name) => name === 'exit.json' && quiet());
    } catch {
      // The poll finds it.
    }
    this.#watched.set(sessionId, {
      close: () => {
        timer?.close();
        watcher?.close();
      },
    });
  }

  async #waitGone(row: LocalProcess, seconds: number): Promise<boolean> {
    const until = performance.now() + seconds * 1000;
    while (isAlive(row, this.#bootId)) {
      if (performance.now() >= until) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return true;
  }

  #report(fact: Fact): void {
    this.#seen?.report(fact);
  }

  /** One thing at a time for a session: a stop never overtakes its start. */
  #inTurn<T>(sessionId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(sessionId) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(work);
    const settled = mine
      .catch(() => undefined)
      .then(() => {
        if (this.#queues.get(sessionId) === settled) this.#queues.delete(sessionId);
      });
    this.#queues.set(sessionId, settled);
    return mine;
  }
}
