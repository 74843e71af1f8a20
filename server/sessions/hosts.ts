// Every session has its own host: below the session domain, or from a fixed pool of names.
import { PortalError } from '../../contract/errors.ts';
import type { Database } from '../db/open.ts';
import type { Tables } from '../db/tables.ts';
import type { Clock } from '../lib/clock.ts';

/** A name of a pool is not given to another owner for this long. */
const restMs = 24 * 3_600_000;

export interface Hosts {
  /**
   * @param within a transaction that the use of the name belongs to
   * @throws PortalError site-unavailable when every name of the pool is taken
   */
  allocate(sessionId: string, userId: string, within?: Database): Promise<string>;
  free(sessionId: string): Promise<void>;
  /** A name that another owner had before: the first answer tells the browser to clear its storage. */
  needsClearing(sessionId: string): Promise<boolean>;
  cleared(sessionId: string): Promise<void>;
}

/** @param pool empty: wildcard DNS, `s-<id>.<domain>`, never used twice */
export function makeHosts(db: Database, clock: Clock, domain: string, pool: readonly string[]): Hosts {
  if (pool.length === 0) {
    return {
      allocate: (sessionId) => Promise.resolve(`s-${sessionId}.${domain}`),
      free: () => Promise.resolve(),
      needsClearing: () => Promise.resolve(false),
      cleared: () => Promise.resolve(),
    };
  }
  return {
    async allocate(sessionId, userId, within = db) {
      const uses = new Map((await within.selectFrom('hostUses').selectAll().execute()).map((use) => [use.host, use]));
      const now = clock.now();
      const free = pool.filter((host) => {
        const use = uses.get(host);
        return !use || (use.freedAt !== null && (use.userId === userId || now - use.freedAt >= restMs));
      });
      // One's own former name first, then one that nobody had.
      const rank = (host: string): number => (uses.get(host)?.userId === userId ? 0 : uses.has(host) ? 2 : 1);
      for (const host of free.toSorted((a, b) => rank(a) - rank(b)))
        if (await take(within, host, uses.get(host), { userId, sessionId })) return host;
      throw new PortalError('site-unavailable', {
        message: `All ${pool.length} addresses for sessions are in use. Try again later, or ask your administrators for more.`,
      });
    },
    async free(sessionId) {
      await db
        .updateTable('hostUses')
        .set({ freedAt: clock.now() })
        .where('sessionId', '=', sessionId)
        .where('freedAt', 'is', null)
        .execute();
    },
    async needsClearing(sessionId) {
      const use = await db
        .selectFrom('hostUses')
        .select('cleared')
        .where('sessionId', '=', sessionId)
        .executeTakeFirst();
      return use?.cleared === 0;
    },
    async cleared(sessionId) {
      await db.updateTable('hostUses').set({ cleared: 1 }).where('sessionId', '=', sessionId).execute();
    },
  };
}

type Use = Tables['hostUses'];

/** @returns false when somebody else took the name since `before` was read */
async function take(
  db: Database,
  host: string,
  before: Use | undefined,
  by: { userId: string; sessionId: string },
): Promise<boolean> {
  const values = { ...by, freedAt: null, cleared: before && before.userId !== by.userId ? 0 : 1 };
  if (!before) {
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('hostUses')
      .values({ host, ...values })
      .onConflict((conflict) => conflict.column('host').doNothing())
      .executeTakeFirst();
    return numInsertedOrUpdatedRows === 1n;
  }
  const { numUpdatedRows } = await db
    .updateTable('hostUses')
    .set(values)
    .where('host', '=', host)
    .where('sessionId', '=', before.sessionId)
    .where('freedAt', '=', before.freedAt)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
