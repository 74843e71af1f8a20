// Stop: gateway first (refuse, close websockets, wait for saves), then the agent, then the spawner until it confirms.
import type { GatewayCtrl } from '../../contract/tunnel.ts';
import { backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Spawner } from '../spawner/spawner.ts';
import type { Ledger } from './ledger.ts';
import type { StoppedBy } from './situation.ts';
import { hasEnded, type SessionStore } from './store.ts';

/** jupyter-collaboration writes 1 s after the last change; then one more. */
export const saveMs = 2000;
export const graceSeconds = 10;

export interface StopOptions {
  store: SessionStore;
  ledger: Ledger;
  clock: Clock;
  log: Log;
  spawnerOf: (site: string) => Spawner | undefined;
  /** Refuses new requests of the session and closes its websockets; tells whether any was open. */
  closeGateway: (sessionId: string) => Promise<{ hadWebsockets: boolean }>;
  /** False when there is no tunnel. */
  tellAgent: (sessionId: string, message: GatewayCtrl) => boolean;
}

export class Stopper {
  readonly #options: StopOptions;
  readonly #running = new Map<string, Promise<void>>();
  #closed = false;

  constructor(options: StopOptions) {
    this.#options = options;
  }

  /** Marks the session as stopping and does the work in the background. Idempotent. */
  async stop(sessionId: string, by: StoppedBy): Promise<void> {
    const { ledger, clock } = this.#options;
    await ledger.change(sessionId, (situation) =>
      situation.stop
        ? situation
        : { ...situation, stop: { at: clock.now(), by, wasReady: situation.app?.readyAt !== undefined } },
    );
    this.resume(sessionId);
  }

  /** Does the work of a session that is marked; also after a restart. */
  resume(sessionId: string): void {
    if (this.#running.has(sessionId) || this.#closed) return;
    const work = this.#work(sessionId)
      .catch((error: unknown) => this.#options.log.error({ err: error, session: sessionId }, 'stop failed'))
      .finally(() => this.#running.delete(sessionId));
    this.#running.set(sessionId, work);
  }

  /** Resolves when the work on a session is done, if there is any. */
  async settled(sessionId: string): Promise<void> {
    await this.#running.get(sessionId);
  }

  /** Leaves unfinished work to the next start. */
  close(): void {
    this.#closed = true;
  }

  async #work(sessionId: string): Promise<void> {
    const { store, ledger, clock, closeGateway, tellAgent } = this.#options;
    const { hadWebsockets } = await closeGateway(sessionId);
    if (hadWebsockets) await clock.sleep(saveMs);
    if (tellAgent(sessionId, { kind: 'stop', graceSeconds }))
      await this.#waitEnd(sessionId, (graceSeconds + 15) * 1000);
    const session = await store.find(sessionId);
    if (!session) return;
    // Not confirmed, or too late to write it: the mark stays, and the next start of the server goes on.
    if (!(await this.clear(sessionId, session.site)) || this.#closed) return;
    await ledger.change(sessionId, (situation) => ({ ...situation, clearedAt: clock.now() }));
  }

  /**
   * Asks the spawner until it has confirmed that nothing is left.
   * @returns whether it has; false when the server closes before that, or when the site is no longer configured
   */
  async clear(sessionId: string, site: string): Promise<boolean> {
    const { clock, log, spawnerOf } = this.#options;
    const spawner = spawnerOf(site);
    if (!spawner)
      log.warn({ session: sessionId, site }, 'the site is no longer configured: nobody confirms that nothing is left');
    for (let attempt = 0; spawner && !this.#closed; attempt += 1) {
      try {
        await spawner.stop(sessionId, { graceSeconds });
        return true;
      } catch (error) {
        log.warn(
          { err: error, session: sessionId, attempt },
          'the site has not confirmed that nothing is left; trying again',
        );
        await clock.sleep(backoff(attempt));
      }
    }
    return false;
  }

  async #waitEnd(sessionId: string, milliseconds: number): Promise<void> {
    const { store, clock } = this.#options;
    const until = clock.now() + milliseconds;
    while (clock.now() < until && !this.#closed) {
      const session = await store.find(sessionId);
      if (!session || hasEnded(session) || session.situation.ended) return;
      await clock.sleep(50);
    }
  }
}
