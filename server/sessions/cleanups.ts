// What is still being cleaned up, by session: one after the other for a session, and independent of all others.
import type { Log } from '../lib/log.ts';

export class Cleanups {
  readonly #running = new Map<string, Promise<void>>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Does a piece of work after those that were given for the session before. Its error is logged. */
  add(sessionId: string, task: () => Promise<unknown>): void {
    const work: Promise<void> = this.of(sessionId)
      .then(task)
      .then(() => undefined)
      .catch((error: unknown) =>
        this.#log.error({ err: error, session: sessionId }, 'cleaning up after the end failed'),
      )
      .finally(() => {
        if (this.#running.get(sessionId) === work) this.#running.delete(sessionId);
      });
    this.#running.set(sessionId, work);
  }

  /** Resolves when nothing is being cleaned up of a session. */
  async of(sessionId: string): Promise<void> {
    await this.#running.get(sessionId);
  }
}
