// Several sites on one machine: each process knows its site, and since when nothing of it is left.
import { sql, type Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('local_processes')
    .addColumn('site', 'text', (column) => column.notNull().defaultTo(''))
    .execute();
  await db.schema.alterTable('local_processes').addColumn('settled_at', 'bigint').execute();
  await sql`update local_processes set site = coalesce((select site from sessions where id = session_id), '')`.execute(
    db,
  );
}
