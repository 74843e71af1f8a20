// People: upserted at login. The slug is made once and never changes; homes, volumes and scheduler comments use it.
import type { Database } from '../db/open.ts';
import { sha256, userId } from '../lib/ids.ts';
import type { User } from './user.ts';

export interface Identity {
  iss: string;
  sub: string;
  name: string;
  email: string | null;
  /** What the readable part of the slug is made from. */
  preferredName: string;
  groups: string[];
  /** Claims that rules may look at. */
  claims: Record<string, unknown>;
}

/** @returns readable part and 8 hex digits of SHA-256 of `iss sub`; safe as a path segment and a DNS label */
export function slugOf(identity: Pick<Identity, 'iss' | 'sub' | 'preferredName'>): string {
  const readable = identity.preferredName
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 24)
    .replace(/^-+|-+$/g, '');
  return `${/^[a-z]/.test(readable) ? readable : `p-${readable}`.replace(/-$/, '')}-${sha256(`${identity.iss} ${identity.sub}`).slice(0, 8)}`;
}

/** Makes or refreshes the row of a person. Identity is (iss, sub); name, e-mail and groups are data. */
export async function upsertUser(db: Database, identity: Identity, now: number): Promise<User> {
  const data = {
    name: identity.name,
    email: identity.email,
    groups: JSON.stringify(identity.groups),
    claims: JSON.stringify(identity.claims),
    seenAt: now,
  };
  await db
    .insertInto('users')
    .values({ id: userId(), iss: identity.iss, sub: identity.sub, slug: slugOf(identity), createdAt: now, ...data })
    .onConflict((conflict) => conflict.columns(['iss', 'sub']).doUpdateSet(data))
    .execute();
  const row = await db
    .selectFrom('users')
    .selectAll()
    .where('iss', '=', identity.iss)
    .where('sub', '=', identity.sub)
    .executeTakeFirstOrThrow();
  return toUser(row);
}

/** @returns undefined when there is no such person */
export async function findUser(db: Database, id: string): Promise<User | undefined> {
  const row = await db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
  return row && toUser(row);
}

const toUser = (row: {
  id: string;
  iss: string;
  sub: string;
  slug: string;
  name: string;
  email: string | null;
  groups: string;
}): User => ({
  id: row.id,
  iss: row.iss,
  sub: row.sub,
  slug: row.slug,
  name: row.name,
  email: row.email,
  groups: JSON.parse(row.groups) as string[],
});
