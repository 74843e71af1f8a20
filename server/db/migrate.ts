import { Migrator, type Kysely, type Migration } from 'kysely';
import type { Engine } from './open.ts';
import { up as spine } from './migrations/0001-spine.ts';
import { up as localSites } from './migrations/0002-local-sites.ts';

/** Brings a database to the newest form. Safe to run by several processes at once (Kysely takes a lock). Throws with the failed step's cause. */
export async function migrate(db: Kysely<never>, engine: Engine): Promise<void> {
  const list: Record<string, Migration> = {
    '0001-spine': { up: (at) => spine(at as Kysely<unknown>, engine) },
    '0002-local-sites': { up: (at) => localSites(at as Kysely<unknown>) },
  };
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(list) } });
  const { error, results } = await migrator.migrateToLatest();
  if (error) {
    const failed = results?.find((step) => step.status === 'Error')?.migrationName ?? 'before the first step';
    throw new Error(`database migration failed: ${failed}`, { cause: error });
  }
}
