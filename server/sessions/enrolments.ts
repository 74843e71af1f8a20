// Enrolment of agents: one token, one agent, one epoch. Only hashes are kept; ended sessions leave tombstones.
import { PortalError } from '../../contract/errors.ts';
import type { Database } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import { secret, sha256 } from '../lib/ids.ts';

const weekMs = 7 * 86_400_000;

export class Enrolments {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #conflict: (sessionId: string) => void;
  readonly #enrolled: (sessionId: string) => void;

  constructor(
    db: Database,
    clock: Clock,
    on: { conflict: (sessionId: string) => void; enrolled: (sessionId: string) => void },
  ) {
    this.#db = db;
    this.#clock = clock;
    this.#conflict = on.conflict;
    this.#enrolled = on.enrolled;
  }

  /**
   * @returns a new one-time token of a session; an earlier unused one stops working
   * @throws PortalError session-ended for a session that left a tombstone
   */
  async issue(sessionId: string): Promise<string> {
    const token = secret();
    const values = {
      tokenHash: sha256(token),
      keyHash: null,
      epoch: 1,
      createdAt: this.#clock.now(),
      usedAt: null,
      endedAt: null,
      removeAt: null,
    };
    const { numInsertedOrUpdatedRows } = await this.#db
      .insertInto('enrolments')
      .values({ sessionId, ...values })
      .onConflict((conflict) =>
        conflict.column('sessionId').doUpdateSet(values).where('enrolments.endedAt', 'is', null),
      )
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows !== 1n) throw new PortalError('session-ended');
    return token;
  }

  /** The same key again gets the same answer; another key for a used token fails the session. */
  async enrol(token: string, keyHash: string): Promise<{ session: string; epoch: number }> {
    const tokenHash = sha256(token);
    const row = await this.#db
      .selectFrom('enrolments')
      .selectAll()
      .where('tokenHash', '=', tokenHash)
      .executeTakeFirst();
    if (!row) throw new PortalError('enrolment-unknown');
    if (row.endedAt !== null) throw new PortalError('session-ended');
    if (row.keyHash === null) {
      const { numUpdatedRows } = await this.#db
        .updateTable('enrolments')
        .set({ keyHash, usedAt: this.#clock.now() })
        .where('tokenHash', '=', tokenHash)
        .where('keyHash', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows === 1n) {
        this.#enrolled(row.sessionId);
        return { session: row.sessionId, epoch: row.epoch };
      }
      return await this.enrol(token, keyHash);
    }
    if (row.keyHash !== keyHash) {
      this.#conflict(row.sessionId);
      throw new PortalError('enrolment-conflict', { detail: { session: row.sessionId } });
    }
    return { session: row.sessionId, epoch: row.epoch };
  }

  /** Whose connection key this is. */
  async find(keyHash: string): Promise<{ session: string; epoch: number } | 'ended' | undefined> {
    const row = await this.#db.selectFrom('enrolments').selectAll().where('keyHash', '=', keyHash).executeTakeFirst();
    if (!row) return undefined;
    return row.endedAt === null ? { session: row.sessionId, epoch: row.epoch } : 'ended';
  }

  /** From now on the key answers 410, for maxAge + 7 days. */
  async end(sessionId: string, maxAgeSeconds: number): Promise<void> {
    const now = this.#clock.now();
    await this.#db
      .updateTable('enrolments')
      .set({ endedAt: now, removeAt: now + maxAgeSeconds * 1000 + weekMs })
      .where('sessionId', '=', sessionId)
      .where('endedAt', 'is', null)
      .execute();
  }

  /** Removes tombstones whose time is over. */
  async sweep(): Promise<void> {
    await this.#db.deleteFrom('enrolments').where('removeAt', '<', this.#clock.now()).execute();
  }
}
