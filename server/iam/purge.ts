import type { Database } from '../db/open.ts';

/** Deletes the embedded issuer's records whose end has passed; keys and accounts have none. Called each hour. */
export async function purgeIamRecords(db: Database, now: number): Promise<void> {
  await db.deleteFrom('iamRecords').where('endsAt', '<', now).execute();
}
