// Facts as rows: what spawners and agents report is written first and applied by the leader, in order, also after a restart.
import type { AgentCtrl } from '../../contract/tunnel.ts';
import type { Database } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Fact } from '../spawner/spawner.ts';

export type Report =
  | { source: 'spawner'; site: string; fact: Fact }
  | { source: 'agent'; message: AgentCtrl }
  | { source: 'gateway'; event: 'enrolled' | 'conflict' | 'up' | 'down'; reason?: string };

export class Inbox {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #apply: (sessionId: string, report: Report, at: number) => Promise<void>;
  #tail: Promise<void> = Promise.resolve();

  constructor(
    db: Database,
    clock: Clock,
    log: Log,
    apply: (sessionId: string, report: Report, at: number) => Promise<void>,
  ) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
    this.#apply = apply;
  }

  /** Never throws; what cannot be written is logged. Resolves when the report has been applied. */
  put(sessionId: string, report: Report): Promise<void> {
    const at = this.#clock.now();
    this.#tail = this.#tail.then(async () => {
      try {
        const { id } = await this.#db
          .insertInto('facts')
          .values({ sessionId, at, source: report.source, body: JSON.stringify(report), drainedAt: null })
          .returning('id')
          .executeTakeFirstOrThrow();
        await this.#drain({ id, sessionId, at, body: report });
      } catch (error) {
        this.#log.error({ err: error, session: sessionId }, 'a report could not be applied');
      }
    });
    return this.#tail;
  }

  /** Resolves when everything that was put has been applied. */
  settled(): Promise<void> {
    return this.#tail;
  }

  /** Applies what was written before a restart. */
  async replay(): Promise<void> {
    const rows = await this.#db.selectFrom('facts').selectAll().where('drainedAt', 'is', null).orderBy('id').execute();
    for (const row of rows) await this.#drain({ ...row, body: JSON.parse(row.body) as Report });
  }

  /** Forgets what was applied long ago. */
  async sweep(): Promise<void> {
    await this.#db
      .deleteFrom('facts')
      .where('drainedAt', '<', this.#clock.now() - 7 * 86_400_000)
      .execute();
  }

  async #drain(row: { id: number; sessionId: string; at: number; body: Report }): Promise<void> {
    await this.#apply(row.sessionId, row.body, row.at);
    await this.#db.updateTable('facts').set({ drainedAt: this.#clock.now() }).where('id', '=', row.id).execute();
  }
}
