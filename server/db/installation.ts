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

/** @returns a constant sealed with the key that this database is used with, if there was one before */
export async function keyCheck(db: Database): Promise<string | undefined> {
  const row = await db.selectFrom('installation').select('value').where('key', '=', 'key-check').executeTakeFirst();
  return row?.value;
}

/** Keeps the sealed constant, unless another process was first. */
export async function keepKeyCheck(db: Database, sealed: string): Promise<void> {
  await db
    .insertInto('installation')
    .values({ key: 'key-check', value: sealed })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute();
}
