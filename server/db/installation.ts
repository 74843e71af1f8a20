import { base32Id } from '../lib/ids.ts';
import type { Database } from './open.ts';

/** @returns the id of this installation, made once; every object that we make outside carries it */
export async function installationId(db: Database): Promise<string> {
  await db
    .insertInto('installation')
    .values({ key: 'id', value: `i_${base32Id(16)}` })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute();
  const row = await db.selectFrom('installation').select('value').where('key', '=', 'id').executeTakeFirstOrThrow();
  return row.value;
}
