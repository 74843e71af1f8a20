// One list for both engines, written with the schema builder only.
import type { CreateIndexBuilder, CreateTableBuilder, Kysely } from 'kysely';

type Column = [name: string, type: 'text' | 'bigint' | 'integer', ...rules: ('null' | 'unique' | 'key')[]];

const tables: Record<string, Column[]> = {
  installation: [
    ['key', 'text', 'key'],
    ['value', 'text'],
  ],
  users: [
    ['id', 'text', 'key'],
    ['iss', 'text'],
    ['sub', 'text'],
    ['slug', 'text', 'unique'],
    ['name', 'text'],
    ['email', 'text', 'null'],
    ['groups', 'text'],
    ['claims', 'text'],
    ['created_at', 'bigint'],
    ['seen_at', 'bigint'],
  ],
  logins: [
    ['id', 'text', 'key'],
    ['secret_hash', 'text', 'unique'],
    ['user_id', 'text'],
    ['address', 'text'],
    ['user_agent', 'text'],
    ['created_at', 'bigint'],
    ['seen_at', 'bigint'],
    ['ends_at', 'bigint'],
    ['ended_at', 'bigint', 'null'],
    ['end_reason', 'text', 'null'],
    ['iam_ok_at', 'bigint'],
    ['sealed_tokens', 'text'],
    ['acr', 'text', 'null'],
    ['auth_time', 'bigint', 'null'],
    ['groups', 'text'],
  ],
  pending_logins: [
    ['state_hash', 'text', 'key'],
    ['browser_hash', 'text'],
    ['sealed', 'text'],
    ['to_path', 'text'],
    ['created_at', 'bigint'],
    ['ends_at', 'bigint'],
  ],
  tokens: [
    ['id', 'text', 'key'],
    ['secret_hash', 'text', 'unique'],
    ['user_id', 'text'],
    ['name', 'text'],
    ['scopes', 'text'],
    ['created_at', 'bigint'],
    ['ends_at', 'bigint', 'null'],
    ['used_at', 'bigint', 'null'],
    ['revoked_at', 'bigint', 'null'],
  ],
  sessions: [
    ['id', 'text', 'key'],
    ['user_id', 'text'],
    ['profile_id', 'text'],
    ['profile_title', 'text'],
    ['site', 'text'],
    ['site_title', 'text'],
    ['host', 'text'],
    ['title', 'text'],
    ['resources', 'text'],
    ['spec', 'text'],
    ['situation', 'text'],
    ['state', 'text'],
    ['cause', 'text', 'null'],
    ['words', 'text'],
    ['job_id', 'text', 'null'],
    ['node', 'text', 'null'],
    ['acr', 'text', 'null'],
    ['auth_time', 'bigint', 'null'],
    ['project', 'text', 'null'],
    ['login_id', 'text', 'null'],
    ['created_at', 'bigint'],
    ['updated_at', 'bigint'],
    ['ready_at', 'bigint', 'null'],
    ['ended_at', 'bigint', 'null'],
    ['ends_at', 'bigint', 'null'],
    ['active_at', 'bigint'],
    ['deleted_at', 'bigint', 'null'],
  ],
  enrolments: [
    ['session_id', 'text', 'key'],
    ['token_hash', 'text', 'unique'],
    ['key_hash', 'text', 'null'],
    ['epoch', 'integer'],
    ['created_at', 'bigint'],
    ['used_at', 'bigint', 'null'],
    ['ended_at', 'bigint', 'null'],
    ['remove_at', 'bigint', 'null'],
  ],
  entries: [
    ['id', 'text', 'key'],
    ['secret_hash', 'text', 'unique'],
    ['session_id', 'text'],
    ['login_id', 'text'],
    ['user_id', 'text'],
    ['role', 'text'],
    ['created_at', 'bigint'],
    ['seen_at', 'bigint'],
    ['ended_at', 'bigint', 'null'],
    ['end_reason', 'text', 'null'],
  ],
  entry_codes: [
    ['code_hash', 'text', 'key'],
    ['session_id', 'text'],
    ['login_id', 'text'],
    ['user_id', 'text'],
    ['state_hash', 'text'],
    ['to_path', 'text'],
    ['role', 'text'],
    ['ends_at', 'bigint'],
    ['used_at', 'bigint', 'null'],
  ],
  tunnels: [
    ['id', 'text', 'key'],
    ['kind', 'text'],
    ['epoch', 'integer'],
    ['owner', 'text'],
    ['connected_at', 'bigint'],
    ['seen_at', 'bigint'],
  ],
  local_processes: [
    ['session_id', 'text', 'key'],
    ['pid', 'integer'],
    ['start_time', 'text'],
    ['boot_id', 'text'],
    ['directory', 'text'],
    ['created_at', 'bigint'],
  ],
  host_uses: [
    ['host', 'text', 'key'],
    ['user_id', 'text'],
    ['session_id', 'text'],
    ['freed_at', 'bigint', 'null'],
    ['cleared', 'integer'],
  ],
  leases: [
    ['name', 'text', 'key'],
    ['owner', 'text'],
    ['ends_at', 'bigint'],
  ],
};

/** Tables whose key is a pair of columns. */
const paired: Record<string, { columns: Column[]; key: [string, string] }> = {
  iam_records: {
    columns: [
      ['model', 'text'],
      ['id', 'text'],
      ['payload', 'text'],
      ['grant_id', 'text', 'null'],
      ['user_code', 'text', 'null'],
      ['uid', 'text', 'null'],
      ['ends_at', 'bigint', 'null'],
      ['consumed_at', 'bigint', 'null'],
    ],
    key: ['model', 'id'],
  },
  idempotency_keys: {
    columns: [
      ['user_id', 'text'],
      ['key', 'text'],
      ['request_hash', 'text'],
      ['status', 'integer'],
      ['body', 'text'],
      ['created_at', 'bigint'],
    ],
    key: ['user_id', 'key'],
  },
};

/** Tables with a counting id: rows that are read in the order in which they were written. */
const counted: Record<string, Column[]> = {
  timeline: [
    ['session_id', 'text'],
    ['user_id', 'text'],
    ['at', 'bigint'],
    ['state', 'text'],
    ['words', 'text'],
    ['cause', 'text', 'null'],
    ['raw', 'text', 'null'],
  ],
  facts: [
    ['session_id', 'text'],
    ['at', 'bigint'],
    ['source', 'text'],
    ['body', 'text'],
    ['drained_at', 'bigint', 'null'],
  ],
  audit: [
    ['at', 'bigint'],
    ['action', 'text'],
    ['user_id', 'text', 'null'],
    ['login_id', 'text', 'null'],
    ['session_id', 'text', 'null'],
    ['pod_uid', 'text', 'null'],
    ['job_id', 'text', 'null'],
    ['node', 'text', 'null'],
    ['address', 'text', 'null'],
    ['detail', 'text'],
  ],
};

const indexes: [table: string, columns: string[], unique?: 'unique'][] = [
  ['users', ['iss', 'sub'], 'unique'],
  ['logins', ['user_id']],
  ['sessions', ['user_id', 'deleted_at']],
  ['sessions', ['host']],
  ['sessions', ['state']],
  ['timeline', ['session_id']],
  ['timeline', ['user_id', 'id']],
  ['facts', ['drained_at', 'id']],
  ['enrolments', ['key_hash']],
  ['entries', ['session_id']],
  ['entries', ['login_id']],
  ['iam_records', ['grant_id']],
  ['iam_records', ['uid']],
  ['audit', ['at']],
];

export async function up(db: Kysely<unknown>, engine: 'sqlite' | 'postgres'): Promise<void> {
  const create = async (
    table: string,
    columns: Column[],
    key?: [string, string],
    countingId = false,
  ): Promise<void> => {
    let builder: CreateTableBuilder<string, string> = db.schema.createTable(table);
    if (countingId) {
      builder =
        engine === 'sqlite'
          ? builder.addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
          : builder.addColumn('id', 'bigserial', (column) => column.primaryKey());
    }
    for (const [name, type, ...rules] of columns) {
      builder = builder.addColumn(name, type, (column) => {
        let built = column;
        if (rules.includes('key')) built = built.primaryKey();
        if (rules.includes('unique')) built = built.unique();
        return rules.includes('null') ? built : built.notNull();
      });
    }
    if (key) builder = builder.addPrimaryKeyConstraint(`${table}_key`, key);
    await builder.execute();
  };
  for (const [table, columns] of Object.entries(tables)) await create(table, columns);
  for (const [table, { columns, key }] of Object.entries(paired)) await create(table, columns, key);
  for (const [table, columns] of Object.entries(counted)) await create(table, columns, undefined, true);
  for (const [table, columns, unique] of indexes) {
    let index = db.schema.createIndex(`${table}_${columns.join('_')}_index`).on(table) as CreateIndexBuilder;
    for (const column of columns) index = index.column(column);
    if (unique) index = index.unique();
    await index.execute();
  }
}
