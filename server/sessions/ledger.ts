// The one place where a session changes: merge, derive, write, tell. Changes of one session happen one after the other.
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Bus } from './bus.ts';
import type { Situation } from './situation.ts';
import { deriveState } from './state.ts';
import { hasEnded, type SessionRow, type SessionStore } from './store.ts';

export interface LedgerOptions {
  store: SessionStore;
  bus: Bus;
  clock: Clock;
  log: Log;
  /** Called once, when a session has ended. */
  onEnd: (session: SessionRow) => void;
}

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #timers = new Map<string, { close(): void }>();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /**
   * Changes what is known about a session. A session that has ended does not change any more.
   * @param merge returns the new situation; the same object means that nothing is new
   * @param raw kept with the timeline row, for people who want the machine's own words
   * @returns the session after the change; undefined when there is none
   */
  change(
    sessionId: string,
    merge: (situation: Situation, session: SessionRow) => Situation,
    options: { raw?: unknown; facts?: { jobId?: string | undefined; node?: string | undefined } } = {},
  ): Promise<SessionRow | undefined> {
    return this.#inTurn(sessionId, async () => {
      const { store, bus, clock, log, onEnd } = this.#options;
      const before = await store.find(sessionId);
      if (!before || hasEnded(before)) return before;
      const situation = merge(before.situation, before);
      const now = clock.now();
      const derived = deriveState(situation, now);
      this.#lookAgain(sessionId, derived.lookAgainAt);
      const shown = derived.state !== before.state || derived.words !== before.words;
      if (situation === before.situation && !shown) return before;
      const ended = hasEnded(derived);
      const { session, entry } = await store.update(
        before,
        {
          situation,
          state: derived.state,
          cause: derived.cause,
          words: derived.words,
          jobId: options.facts?.jobId ?? before.jobId,
          node: options.facts?.node ?? before.node,
          readyAt: before.readyAt ?? (derived.state === 'ready' ? now : null),
          endedAt: ended ? now : null,
          endsAt: endsAt(situation, before),
        },
        now,
        shown ? { raw: options.raw } : undefined,
      );
      if (entry) {
        log.info(
          { session: sessionId, user: session.userId, state: session.state, cause: session.cause?.code },
          'session changed',
        );
        bus.tell({ session, row: entry });
      }
      if (ended) {
        this.#timers.get(sessionId)?.close();
        this.#timers.delete(sessionId);
        onEnd(session);
      }
      return session;
    });
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.close();
    this.#timers.clear();
  }

  /** Some states change by time alone: a tunnel that stays away. */
  #lookAgain(sessionId: string, at: number | undefined): void {
    this.#timers.get(sessionId)?.close();
    this.#timers.delete(sessionId);
    if (at === undefined) return;
    const { clock, log } = this.#options;
    const timer = clock.after(Math.max(0, at - clock.now()) + 50, () => {
      this.change(sessionId, (situation) => situation).catch((error: unknown) =>
        log.error({ err: error, session: sessionId }, 'state could not be looked at'),
      );
    });
    this.#timers.set(sessionId, timer);
  }

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

function endsAt(situation: Situation, session: SessionRow): number | null {
  if (situation.runningAt === undefined) return session.endsAt;
  const { walltimeSeconds, maxAgeSeconds } = session.spec;
  return situation.runningAt + Math.min(walltimeSeconds ?? Number.POSITIVE_INFINITY, maxAgeSeconds) * 1000;
}
