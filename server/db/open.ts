// Opens the one database: SQLite (embedded default) or Postgres.
import { CamelCasePlugin, Kysely, PostgresDialect, SqliteDialect } from 'kysely';
import { migrate } from './migrate.ts';
import type { Tables } from './tables.ts';

export type Engine = 'sqlite' | 'postgres';
export type Database = Kysely<Tables>;

/**
 * @param url `sqlite:<path>`, `sqlite::memory:` or `postgres://...`
 * @returns the database, migrated to the newest form; end it with `destroy()`
 * @throws Error naming the URL's form, a path that is not writable, or a server that does not answer
 */
export async function openDatabase(url: string): Promise<Database> {
  const plugins = [new CamelCasePlugin({ maintainNestedObjectKeys: true })];
  if (url.startsWith('sqlite:')) {
    const { default: BetterSqlite } = await import('better-sqlite3');
    const file = new BetterSqlite(url.slice('sqlite:'.length));
    file.pragma('journal_mode = WAL');
    file.pragma('synchronous = NORMAL');
    file.pragma('busy_timeout = 5000');
    const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: file }), plugins });
    await migrate(db as unknown as Kysely<never>, 'sqlite');
    return db;
  }
  if (/^postgres(ql)?:/.test(url)) {
    const { default: pg } = await import('pg');
    pg.types.setTypeParser(20, Number); // int8: our bigints are milliseconds and counters, all below 2^53
    const db = new Kysely<Tables>({
      dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 10 }) }),
      plugins,
    });
    await migrate(db as unknown as Kysely<never>, 'postgres');
    return db;
  }
  throw new Error(`its address is not understood; write sqlite:<path> or postgres://user:password@host/name`);
}
