// Rows of sessions and their timeline.
import type { Selectable } from 'kysely';
import { Cause, isEnd, liveStates, SessionState } from '../../contract/states.ts';
import type { Database } from '../db/open.ts';
import type { Tables } from '../db/tables.ts';
import type { StoredSpec } from '../spawner/spec.ts';
import type { Situation } from './situation.ts';

type Raw = Selectable<Tables['sessions']>;

export interface SessionRow extends Omit<Raw, 'spec' | 'situation' | 'state' | 'cause'> {
  spec: StoredSpec;
  situation: Situation;
  state: SessionState;
  cause: Cause | null;
}

export interface TimelineEntry {
  id: number;
  sessionId: string;
  at: number;
  state: SessionState;
  words: string;
  cause: Cause | null;
  raw: unknown;
}

const parse = (row: Raw): SessionRow => ({
  ...row,
  spec: JSON.parse(row.spec) as StoredSpec,
  situation: JSON.parse(row.situation) as Situation,
  state: SessionState.parse(row.state),
  cause: row.cause === null ? null : Cause.parse(JSON.parse(row.cause)),
});

const entry = (row: Selectable<Tables['timeline']>): TimelineEntry => ({
  id: row.id,
  sessionId: row.sessionId,
  at: row.at,
  state: SessionState.parse(row.state),
  words: row.words,
  cause: row.cause === null ? null : Cause.parse(JSON.parse(row.cause)),
  raw: row.raw === null ? null : (JSON.parse(row.raw) as unknown),
});

export class SessionStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Writes a new session and its first timeline row.
   * @param db a transaction, so that there is never one without the other
   */
  async insert(row: SessionRow, db = this.#db): Promise<TimelineEntry> {
    await db
      .insertInto('sessions')
      .values({ ...row, spec: JSON.stringify(row.spec), situation: JSON.stringify(row.situation), cause: null })
      .execute();
    return await insertTimeline(db, row, row.createdAt, undefined);
  }

  async find(id: string): Promise<SessionRow | undefined> {
    const row = await this.#db
      .selectFrom('sessions')
      .selectAll()
      .where('id', '=', id)
      .where('deletedAt', 'is', null)
      .executeTakeFirst();
    return row && parse(row);
  }

  /** The newest session that has or had this host: pages for ended sessions are found by it too. */
  async findByHost(host: string): Promise<SessionRow | undefined> {
    const row = await this.#db
      .selectFrom('sessions')
      .selectAll()
      .where('host', '=', host)
      .where('deletedAt', 'is', null)
      .orderBy('createdAt', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row && parse(row);
  }

  async listOfUser(
    userId: string,
    page: { limit: number; before?: { createdAt: number; id: string } },
  ): Promise<SessionRow[]> {
    let query = this.#db.selectFrom('sessions').selectAll().where('userId', '=', userId).where('deletedAt', 'is', null);
    const { before } = page;
    if (before) {
      query = query.where((or) =>
        or.or([
          or('createdAt', '<', before.createdAt),
          or.and([or('createdAt', '=', before.createdAt), or('id', '<', before.id)]),
        ]),
      );
    }
    return (await query.orderBy('createdAt', 'desc').orderBy('id', 'desc').limit(page.limit).execute()).map(parse);
  }

  async listLive(): Promise<SessionRow[]> {
    return (await this.#db.selectFrom('sessions').selectAll().where('state', 'in', liveStates).execute()).map(parse);
  }

  /** Ended sessions whose cleaning up was not finished: the server closed meanwhile, or the site did not confirm. */
  async listUncleaned(): Promise<SessionRow[]> {
    const rows = await this.#db
      .selectFrom('sessions')
      .selectAll()
      .where('state', 'not in', liveStates)
      .where((or) =>
        or.or([
          or('id', 'in', or.selectFrom('hostUses').select('sessionId').where('freedAt', 'is', null)),
          or('id', 'in', or.selectFrom('enrolments').select('sessionId').where('endedAt', 'is', null)),
        ]),
      )
      .execute();
    return rows.map(parse);
  }

  async listAll(limit: number): Promise<SessionRow[]> {
    return (
      await this.#db
        .selectFrom('sessions')
        .selectAll()
        .where('deletedAt', 'is', null)
        .orderBy('createdAt', 'desc')
        .limit(limit)
        .execute()
    ).map(parse);
  }

  /** Sessions that count in the quota: everything that has not ended, lost ones included. */
  async countLive(userId: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom('sessions')
      .select((query) => query.fn.countAll<number>().as('count'))
      .where('userId', '=', userId)
      .where('state', 'in', liveStates)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Writes a new situation and, where something a person sees has changed, a timeline row. One transaction. */
  async update(
    row: SessionRow,
    change: Partial<
      Pick<SessionRow, 'situation' | 'state' | 'cause' | 'words' | 'jobId' | 'node' | 'readyAt' | 'endedAt' | 'endsAt'>
    >,
    now: number,
    timeline?: { raw: unknown },
  ): Promise<{ session: SessionRow; entry: TimelineEntry | null }> {
    const session: SessionRow = { ...row, ...change, updatedAt: now };
    return await this.#db.transaction().execute(async (db) => {
      await db
        .updateTable('sessions')
        .set({
          situation: JSON.stringify(session.situation),
          state: session.state,
          cause: session.cause === null ? null : JSON.stringify(session.cause),
          words: session.words,
          jobId: session.jobId,
          node: session.node,
          readyAt: session.readyAt,
          endedAt: session.endedAt,
          endsAt: session.endsAt,
          updatedAt: now,
        })
        .where('id', '=', session.id)
        .execute();
      return { session, entry: timeline ? await insertTimeline(db, session, now, timeline.raw) : null };
    });
  }

  async timeline(sessionId: string): Promise<TimelineEntry[]> {
    return (
      await this.#db.selectFrom('timeline').selectAll().where('sessionId', '=', sessionId).orderBy('id').execute()
    ).map(entry);
  }

  /** Rows of a person after an id, for event streams that come back. */
  async timelineAfter(userId: string, id: number, limit: number): Promise<TimelineEntry[]> {
    return (
      await this.#db
        .selectFrom('timeline')
        .selectAll()
        .where('userId', '=', userId)
        .where('id', '>', id)
        .orderBy('id')
        .limit(limit)
        .execute()
    ).map(entry);
  }

  async markActive(id: string, now: number): Promise<void> {
    await this.#db.updateTable('sessions').set({ activeAt: now }).where('id', '=', id).execute();
  }

  /** Takes an ended session out of lists. */
  async markDeleted(id: string, now: number): Promise<void> {
    await this.#db.updateTable('sessions').set({ deletedAt: now }).where('id', '=', id).execute();
  }
}

async function insertTimeline(db: Database, session: SessionRow, at: number, raw: unknown): Promise<TimelineEntry> {
  const { id: sessionId, userId, state, words, cause } = session;
  const { id } = await db
    .insertInto('timeline')
    .values({
      sessionId,
      userId,
      at,
      state,
      words,
      cause: cause === null ? null : JSON.stringify(cause),
      raw: raw === undefined ? null : JSON.stringify(raw),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { id, sessionId, at, state, words, cause, raw: raw ?? null };
}

/** @returns whether nothing more will happen to it */
export const hasEnded = (row: Pick<SessionRow, 'state'>): boolean => isEnd(row.state);
