// Entries: the right of one login to one session host. One-time codes lead in; rows keep them; memory is only a cache.
import { LRUCache } from 'lru-cache';
import type { Database } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import { base32Id, secret, sha256 } from '../lib/ids.ts';
import { safePath } from './paths.ts';
import type { Who } from './who.ts';

export const codeSeconds = 30;
/** How long an answer is believed without asking the database; ends are told at once. */
const cacheMs = 15_000;

export type Role = 'owner' | 'control' | 'view';

export interface Visitor {
  entryId: string;
  loginId: string;
  userId: string;
  name: string;
  role: Role;
}

export type Redeemed =
  | { ok: true; secret: string; to: string; entryId: string; userId: string; loginId: string }
  | { ok: false; reason: 'unknown'; to?: undefined }
  | { ok: false; reason: 'used' | 'expired' | 'state-mismatch'; to: string };

export interface EntriesOptions {
  db: Database;
  clock: Clock;
  /** Whether a login still counts. */
  isValid: (loginId: string) => Promise<boolean>;
}

export class Entries {
  readonly #options: EntriesOptions;
  readonly #cache = new LRUCache<string, { visitor: Visitor; sessionId: string; until: number }>({ max: 20_000 });
  readonly #ended = new Set<(entry: { entryId: string }) => void>();

  constructor(options: EntriesOptions) {
    this.#options = options;
  }

  onEnded(tell: (entry: { entryId: string }) => void): { close(): void } {
    this.#ended.add(tell);
    return { close: () => void this.#ended.delete(tell) };
  }

  /** @returns the one-time code: 32 random bytes, 30 s, bound to session, login and the browser's state */
  async issueCode(want: { sessionId: string; who: Who; stateHash: string; to: string; role: Role }): Promise<string> {
    const { db, clock } = this.#options;
    const code = secret();
    const now = clock.now();
    await db
      .deleteFrom('entryCodes')
      .where('endsAt', '<', now - 3_600_000)
      .execute();
    await db
      .insertInto('entryCodes')
      .values({
        codeHash: sha256(code),
        sessionId: want.sessionId,
        loginId: want.who.login.id,
        userId: want.who.user.id,
        stateHash: want.stateHash,
        toPath: safePath(want.to),
        role: want.role,
        endsAt: now + codeSeconds * 1000,
        usedAt: null,
      })
      .execute();
    return code;
  }

  /** Uses a code once. A wrong state uses it up too: the code has been seen by somebody it was not meant for. */
  async redeem(want: { code: string; sessionId: string; stateHash: string | undefined }): Promise<Redeemed> {
    const { db, clock, isValid } = this.#options;
    const codeHash = sha256(want.code);
    const row = await db.selectFrom('entryCodes').selectAll().where('codeHash', '=', codeHash).executeTakeFirst();
    if (!row || row.sessionId !== want.sessionId) return { ok: false, reason: 'unknown' };
    const now = clock.now();
    const { numUpdatedRows } = await db
      .updateTable('entryCodes')
      .set({ usedAt: now })
      .where('codeHash', '=', codeHash)
      .where('usedAt', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) return { ok: false, reason: 'used', to: row.toPath };
    if (row.endsAt <= now) return { ok: false, reason: 'expired', to: row.toPath };
    if (want.stateHash === undefined || want.stateHash !== row.stateHash)
      return { ok: false, reason: 'state-mismatch', to: row.toPath };
    if (!(await isValid(row.loginId))) return { ok: false, reason: 'expired', to: row.toPath };
    const value = secret();
    const entryId = `e_${base32Id(16)}`;
    await db
      .insertInto('entries')
      .values({
        id: entryId,
        secretHash: sha256(value),
        sessionId: row.sessionId,
        loginId: row.loginId,
        userId: row.userId,
        role: row.role,
        createdAt: now,
        seenAt: now,
        endedAt: null,
        endReason: null,
      })
      .execute();
    return { ok: true, secret: value, to: row.toPath, entryId, userId: row.userId, loginId: row.loginId };
  }

  /** Who is behind an entry cookie of this session. Valid only while its login is. */
  async admit(want: { secret: string; sessionId: string }): Promise<Visitor | undefined> {
    if (want.secret.length > 128) return undefined;
    const { db, clock, isValid } = this.#options;
    const hash = sha256(want.secret);
    const cached = this.#cache.get(hash);
    if (cached && cached.until > clock.now()) return cached.sessionId === want.sessionId ? cached.visitor : undefined;
    const row = await db
      .selectFrom('entries')
      .innerJoin('users', 'users.id', 'entries.userId')
      .select(['entries.id', 'entries.sessionId', 'entries.loginId', 'entries.userId', 'entries.role', 'users.name'])
      .where('entries.secretHash', '=', hash)
      .where('entries.endedAt', 'is', null)
      .executeTakeFirst();
    if (!row || row.sessionId !== want.sessionId) return undefined;
    if (!(await isValid(row.loginId))) return undefined;
    const visitor = {
      entryId: row.id,
      loginId: row.loginId,
      userId: row.userId,
      name: row.name,
      role: row.role as Role,
    };
    this.#cache.set(hash, { visitor, sessionId: row.sessionId, until: clock.now() + cacheMs });
    return visitor;
  }

  endForLogin(loginId: string, reason: string): Promise<void> {
    return this.#end('loginId', loginId, reason);
  }

  endForSession(sessionId: string, reason: string): Promise<void> {
    return this.#end('sessionId', sessionId, reason);
  }

  async #end(column: 'loginId' | 'sessionId', value: string, reason: string): Promise<void> {
    const { db, clock } = this.#options;
    for (const [key, { visitor, sessionId }] of this.#cache.entries()) {
      if ((column === 'loginId' ? visitor.loginId : sessionId) === value) this.#cache.delete(key);
    }
    const rows = await db
      .selectFrom('entries')
      .select('id')
      .where(column, '=', value)
      .where('endedAt', 'is', null)
      .execute();
    await db
      .updateTable('entries')
      .set({ endedAt: clock.now(), endReason: reason })
      .where(column, '=', value)
      .where('endedAt', 'is', null)
      .execute();
    for (const { id } of rows) for (const tell of this.#ended) tell({ entryId: id });
  }
}
