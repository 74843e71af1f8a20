// Rows of logins and entries that nobody needs any more.
import type { Database } from '../db/open.ts';

/** How long ended logins and entries stay, for questions about them. */
export const keptDays = 30;

/** Deletes what ended long ago, and codes and attempts that are over. Called each hour. */
export async function purgeLogins(db: Database, now: number): Promise<void> {
  const old = now - keptDays * 86_400_000;
  await db
    .deleteFrom('logins')
    .where((eb) => eb.or([eb('endedAt', '<', old), eb('endsAt', '<', old)]))
    .execute();
  // An entry has no end of its own: it goes with its login.
  await db
    .deleteFrom('entries')
    .where((eb) =>
      eb.or([eb('endedAt', '<', old), eb('loginId', 'not in', eb.selectFrom('logins').select('logins.id'))]),
    )
    .execute();
  await db.deleteFrom('entryCodes').where('endsAt', '<', now).execute();
  await db.deleteFrom('pendingLogins').where('endsAt', '<', now).execute();
}
