// Sessions as processes of this machine: parent -> sandbox -> agent -> app. Adopts what runs after a restart of the server.
import { mkdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PortalError } from '../../../contract/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Closer } from '../../lib/closer.ts';
import type { Log } from '../../lib/log.ts';
import { isAlive } from '../../lib/process-identity.ts';
import type { SessionSpec } from '../spec.ts';
import type { SiteHealth, Spawner } from '../spawner.ts';
import { endedFact, lostFact, readExit, readProcess } from './exit.ts';
import { checkSurroundings } from './health.ts';
import { launch, logFiles } from './launch.ts';
import { removeGroups, type Place } from './limits.ts';
import { openLog } from './log-file.ts';
import { Observers, type See } from './observers.ts';
import { signalTo, type LocalProcess, type ProcessStore } from './processes.ts';
import { unfitPython, type PythonFacts } from './python.ts';
import { endRemainsOf, gone, killAll, tmpOf } from './remains.ts';
import type { Sandbox } from './sandbox.ts';
import { watchExit } from './watch.ts';

export interface LocalOptions {
  /** Holds one private folder per session. */
  sessionsDir: string;
  homesDir: string;
  agentFile: string;
  python: PythonFacts | { problem: string };
  sandbox: Sandbox;
  store: ProcessStore;
  clock: Clock;
  log: Log;
  bootId: string;
  /** Where control groups can be made (limits.ts). */
  places: Place[];
  /** Size at which a session's log is rotated, bytes; three files are kept. */
  logBytes: number;
}

/** One serves all local sites. Built by makeLocalSpawner. */
export class LocalSpawner implements Spawner {
  /** Whether sessions of different people are kept apart; does not change while the server runs. */
  readonly sandbox: Sandbox;
  readonly #options: LocalOptions;
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #watches = new Map<string, Closer & { site: string }>();
  readonly #observers = new Observers();

  constructor(options: LocalOptions) {
    this.#options = options;
    this.sandbox = options.sandbox;
  }

  /** The spawner of one site: it observes only what was started there. All else is shared by the sites of this machine. */
  forSite(site: string): Spawner {
    return {
      start: (spec) => this.start(spec),
      stop: (sessionId, how) => this.stop(sessionId, how),
      observe: (see) => this.observe(see, site),
      logs: (sessionId, want) => this.logs(sessionId, want),
      forget: (sessionId) => this.forget(sessionId),
      check: () => this.check(),
    };
  }

  start(spec: SessionSpec): Promise<void> {
    return this.#inTurn(spec.sessionId, async () => {
      const { store, clock, python, bootId, homesDir, logBytes } = this.#options;
      const directory = this.#directory(spec.sessionId);
      const known = await store.get(spec.sessionId);
      if (known && (await this.#living(known))) return;
      const reason = 'problem' in python ? python.problem : unfitPython(python, spec.app.kind === 'jupyterlab');
      if ('problem' in python || reason !== undefined)
        throw new PortalError('start-failed', { message: `This machine cannot run the session: ${reason}.` });
      if (!/^[a-z0-9][a-z0-9._-]*$/.test(spec.user.slug))
        throw new PortalError('start-failed', { detail: { slug: spec.user.slug } });
      await makePrivate(directory);

      const { sessionId, site } = spec;
      const row = {
        sessionId,
        site,
        pid: 0,
        startTime: '',
        bootId,
        directory,
        createdAt: clock.now(),
        settledAt: null,
      };
      await store.put(row);
      this.#observers.tell(site, { sessionId, at: clock.now(), kind: 'submitted' });
      const home = path.join(homesDir, spec.user.slug);
      const launched = await launch({ ...this.#options, spec, directory, home, python, logBytes }).catch(
        async (error: unknown) => {
          await this.#remove(sessionId, directory);
          throw error;
        },
      );
      if (launched.state === 'over') return this.#settle(row);
      const running =
        launched.state === 'started'
          ? { ...row, pid: launched.pid, startTime: launched.startTime }
          : await this.#living(row);
      if (!running) throw new PortalError('start-failed', { message: 'The session is being started elsewhere.' });
      await store.put(running);
      this.#adopt(running);
    });
  }

  stop(sessionId: string, how: { graceSeconds: number }): Promise<void> {
    return this.#inTurn(sessionId, async () => {
      const { store, bootId, clock } = this.#options;
      const row = await store.get(sessionId);
      if (!row || row.settledAt !== null) return;
      const living = await this.#living(row);
      if (living) {
        signalTo(living.pid, 'SIGTERM');
        if (!(await gone(living, bootId, how.graceSeconds))) signalTo(living.pid, 'SIGUSR1');
        if (!(await gone(living, bootId, 5))) await killAll(living, bootId, clock);
      }
      await this.#settle(row);
    });
  }

  /** @param site only this one; all when left out */
  observe(see: See, site?: string): { close(): void } {
    const observer = this.#observers.add(see, site);
    const replay = async (): Promise<void> => {
      for (const row of await this.#options.store.list(site)) {
        await this.#inTurn(row.sessionId, async () => {
          const living = await this.#living(row);
          if (living) this.#adopt(living);
          else await this.#settle(row);
        }).catch((error: unknown) => this.#complain(row.sessionId, error));
      }
      observer.synced();
    };
    void replay().catch((error: unknown) => this.#options.log.error({ err: error }, 'local sessions cannot be listed'));
    return {
      close: () => {
        void observer.close();
        for (const [sessionId, watched] of this.#watches)
          if (!this.#observers.see(watched.site)) this.#unwatch(sessionId);
      },
    };
  }

  async *logs(
    sessionId: string,
    want: { tailLines: number; follow: boolean; signal?: AbortSignal },
  ): AsyncIterable<string> {
    const directory = this.#directory(sessionId);
    const { lines, reader } = await openLog(directory, logFiles, want.tailLines);
    try {
      if (!want.follow) {
        yield* want.tailLines === 0 ? [] : [...lines, ...reader.rest()].slice(-want.tailLines);
        return;
      }
      yield* lines;
      while (want.signal?.aborted !== true) {
        const ended = await this.#hasEnded(sessionId, directory);
        yield* await reader.more();
        if (ended) break;
        await this.#options.clock.sleep(200, want.signal).catch(() => undefined);
      }
      yield* reader.rest();
    } finally {
      await reader.close();
    }
  }

  /** @throws PortalError session-not-ended while the session runs: nobody could stop it afterwards */
  forget(sessionId: string): Promise<void> {
    return this.#inTurn(sessionId, async () => {
      const row = await this.#options.store.get(sessionId);
      if (row && (await this.#living(row))) throw new PortalError('session-not-ended', { detail: { sessionId } });
      await this.#remove(sessionId, this.#directory(sessionId));
    });
  }

  check(): Promise<SiteHealth> {
    const { python, sandbox, homesDir, sessionsDir } = this.#options;
    return checkSurroundings({ python, sandbox, folders: [homesDir, sessionsDir] });
  }

  // ---- private

  /** @throws PortalError session-not-found for what is no session id: it becomes a path */
  #directory(sessionId: string): string {
    if (!/^[a-z2-7]{16}$/.test(sessionId)) throw new PortalError('session-not-found', { detail: { sessionId } });
    return path.join(this.#options.sessionsDir, sessionId);
  }

  async #remove(sessionId: string, directory: string): Promise<void> {
    this.#unwatch(sessionId);
    await this.#options.store.remove(sessionId);
    await rm(directory, { recursive: true, force: true });
  }

  /** The living parent of a row; a row that recorded only the intent is completed from what the parent wrote. */
  async #living(row: LocalProcess): Promise<LocalProcess | undefined> {
    const { bootId, store } = this.#options;
    if (isAlive(row, bootId)) return row;
    if (row.pid !== 0 || row.bootId !== bootId) return undefined;
    const written = await readProcess(row.directory);
    if (!written?.startTime) return undefined;
    const completed = { ...row, pid: written.pid, startTime: written.startTime };
    if (!isAlive(completed, bootId)) return undefined;
    await store.put(completed);
    return completed;
  }

  #adopt(row: LocalProcess): void {
    const { clock } = this.#options;
    const { sessionId, site, pid } = row;
    this.#observers.tell(site, {
      sessionId,
      at: clock.now(),
      kind: 'running',
      node: os.hostname(),
      jobId: String(pid),
    });
    if (this.#watches.has(sessionId)) return;
    const look = (): void =>
      void this.#inTurn(sessionId, async () => {
        if (!this.#watches.has(sessionId)) return;
        if ((await readExit(row.directory)) !== undefined || !isAlive(row, this.#options.bootId))
          await this.#settle(row);
      }).catch((error: unknown) => this.#complain(sessionId, error));
    this.#watches.set(sessionId, { ...watchExit(row.directory, clock, look), site });
    look();
  }

  #unwatch(sessionId: string): void {
    void this.#watches.get(sessionId)?.close();
    this.#watches.delete(sessionId);
  }

  /** Makes sure that nothing is left, then tells the end. */
  async #settle(row: LocalProcess): Promise<void> {
    const { bootId, clock, store, places } = this.#options;
    const exit = await readExit(row.directory);
    // Who wrote the record had ended all that was below before.
    if (!exit) {
      await endRemainsOf(row, await readProcess(row.directory), bootId, clock);
      await removeGroups(places, row.sessionId);
    }
    this.#unwatch(row.sessionId);
    this.#observers.tell(
      row.site,
      exit ? endedFact(row.sessionId, exit) : lostFact(row.sessionId, clock.now(), row.bootId !== bootId),
    );
    await rm(tmpOf(row.directory), { recursive: true, force: true }).catch((error: unknown) =>
      this.#complain(row.sessionId, error),
    );
    await store.put({ ...row, settledAt: clock.now() });
  }

  async #hasEnded(sessionId: string, directory: string): Promise<boolean> {
    if ((await readExit(directory)) !== undefined) return true;
    if (this.#queues.has(sessionId)) return false; // it is just being started or stopped
    const row = await this.#options.store.get(sessionId);
    return !row || !(await this.#living(row));
  }

  #complain(sessionId: string, error: unknown): void {
    this.#options.log.warn({ err: error, session: sessionId }, 'a local session cannot be looked after');
  }

  /** One thing at a time for a session: a stop never overtakes its start. */
  #inTurn<T>(sessionId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(sessionId) ?? Promise.resolve();
    const mine = before.then(work);
    const settled = mine
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        if (this.#queues.get(sessionId) === settled) this.#queues.delete(sessionId);
      });
    this.#queues.set(sessionId, settled);
    return mine;
  }
}

async function makePrivate(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new PortalError('start-failed', {
      message: `The data directory cannot be written (${(error as Error).message}).`,
      cause: error,
    });
  }
}
