// Login attempts between the redirect to the IAM and its answer: bound to this browser, single use.
import type { Database } from '../db/open.ts';
import type { Seal } from '../db/seal.ts';
import { PortalError } from '../../contract/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { sha256 } from '../lib/ids.ts';
import type { Attempt } from './oidc.ts';

export const pendingSeconds = 15 * 60;

export interface PendingLogins {
  put(attempt: Attempt, browser: string, toPath: string): Promise<void>;
  /** Takes the attempt of a state once. Throws login-state-unknown for an unknown, used, expired or foreign one. */
  take(state: string, browser: string | undefined): Promise<{ attempt: Attempt; toPath: string }>;
}

export function makePendingLogins(db: Database, seal: Seal, clock: Clock): PendingLogins {
  return {
    async put(attempt, browser, toPath) {
      const now = clock.now();
      await db.deleteFrom('pendingLogins').where('endsAt', '<', now).execute();
      await db
        .insertInto('pendingLogins')
        .values({
          stateHash: sha256(attempt.state),
          browserHash: sha256(browser),
          sealed: seal.seal(JSON.stringify(attempt)),
          toPath,
          createdAt: now,
          endsAt: now + pendingSeconds * 1000,
        })
        .execute();
    },
    async take(state, browser) {
      const stateHash = sha256(state);
      const row = await db
        .selectFrom('pendingLogins')
        .selectAll()
        .where('stateHash', '=', stateHash)
        .executeTakeFirst();
      if (!row) throw new PortalError('login-state-unknown', { detail: 'unknown or used' });
      if (browser === undefined || row.browserHash !== sha256(browser))
        throw new PortalError('login-state-unknown', { detail: 'another browser' });
      const { numDeletedRows } = await db
        .deleteFrom('pendingLogins')
        .where('stateHash', '=', stateHash)
        .executeTakeFirst();
      if (numDeletedRows !== 1n) throw new PortalError('login-state-unknown', { detail: 'used' });
      if (row.endsAt <= clock.now()) throw new PortalError('login-state-unknown', { detail: 'expired' });
      return { attempt: JSON.parse(seal.open(row.sealed)) as Attempt, toPath: row.toPath };
    },
  };
}
