// Logins: rows behind an opaque cookie. Sliding and absolute end, refresh against the IAM, revoke. Tokens are sealed.
import type { IncomingMessage } from 'node:http';
import { PortalError } from '../../contract/errors.ts';
import type { Database } from '../db/open.ts';
import type { Seal } from '../db/seal.ts';
import type { CookieJar } from '../http/cookies.ts';
import type { Clock } from '../lib/clock.ts';
import { base32Id, secret, sha256 } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import { findUser } from '../users/store.ts';
import type { User } from '../users/user.ts';
import type { Answer, Oidc } from './oidc.ts';
import type { Policy, Subject } from './policy.ts';
import { Recheck, tokensOf, type LoginRow } from './recheck.ts';
import type { Authenticate, Who } from './who.ts';

export interface LoginsOptions {
  db: Database;
  seal: Seal;
  clock: Clock;
  log: Log;
  cookies: CookieJar;
  oidc: Pick<Oidc, 'refresh' | 'revoke'>;
  policy: Policy;
  /** Updates the person from fresh claims; returns the person. */
  refreshUser: (answer: Answer) => Promise<{ user: User; subject: Subject }>;
  idleSeconds: number;
  maxSeconds: number;
  recheckSeconds: number;
  /** A login counts only while the IAM's last good answer is younger. */
  trustSeconds: number;
}

/** Without a refresh token rights are frozen, so such a login lives at most this long. */
const frozenSeconds = 12 * 3600;
const slideEveryMs = 60_000;

export type EndReason =
  | 'logout'
  | 'revoked'
  | 'idle'
  | 'expired'
  | 'iam-ended'
  | 'no-longer-allowed'
  /** Sealed with a key that is gone. */
  | 'unreadable'
  /** Does not count for now: the last good answer of the IAM is too old. */
  | 'iam-silent';

export class Logins {
  readonly #options: LoginsOptions;
  readonly #ended = new Set<(login: { loginId: string; reason: EndReason }) => void>();
  readonly #recheck: Recheck;
  #sweeping: Promise<void> | undefined;
  /** Logins of which was told that they do not count for now. */
  #silent = new Set<string>();

  constructor(options: LoginsOptions) {
    this.#options = options;
    this.#recheck = new Recheck({ ...options, end: (row, reason) => this.#end(row, reason) });
  }

  /** Told when a login ends or stops to count, so that everything that rests on it ends too. */
  onEnded(tell: (login: { loginId: string; reason: EndReason }) => void): { close(): void } {
    this.#ended.add(tell);
    return { close: () => void this.#ended.delete(tell) };
  }

  /** @returns the new login's id and the secret for its cookie */
  async create(
    user: User,
    answer: Answer,
    from: { address: string; userAgent: string },
  ): Promise<{ id: string; secret: string }> {
    const { db, seal, clock, maxSeconds } = this.#options;
    const now = clock.now();
    const value = secret();
    const id = `l_${base32Id(16)}`;
    const { acr, auth_time: authTime } = answer.claims;
    const life = answer.tokens.refreshToken === undefined ? Math.min(frozenSeconds, maxSeconds) : maxSeconds;
    await db
      .insertInto('logins')
      .values({
        id,
        secretHash: sha256(value),
        userId: user.id,
        address: from.address,
        userAgent: from.userAgent.slice(0, 300),
        createdAt: now,
        seenAt: now,
        endsAt: now + life * 1000,
        endedAt: null,
        endReason: null,
        iamOkAt: now,
        sealedTokens: seal.seal(JSON.stringify(answer.tokens)),
        acr: typeof acr === 'string' ? acr : null,
        authTime: typeof authTime === 'number' ? authTime * 1000 : null,
        groups: JSON.stringify(user.groups),
      })
      .execute();
    return { id, secret: value };
  }

  readonly authenticate: Authenticate = async (request: IncomingMessage, options = {}) => {
    const value = this.#options.cookies.read(request, 'ls-login');
    if (value === undefined || value.length > 128) return undefined;
    const row = await this.#options.db
      .selectFrom('logins')
      .selectAll()
      .where('secretHash', '=', sha256(value))
      .executeTakeFirst();
    return row && (await this.#who(row, options.slide ?? false));
  };

  /** Whether a login still counts; asks the IAM again when it is time. */
  async isValid(loginId: string): Promise<boolean> {
    const row = await this.#row(loginId);
    return row !== undefined && (await this.#who(row, false)) !== undefined;
  }

  /** A page action elsewhere (a session host) by a person. */
  async slide(loginId: string): Promise<void> {
    const row = await this.#row(loginId);
    if (row && row.endedAt === null) await this.#slide(row);
  }

  list(userId: string): Promise<LoginRow[]> {
    const { db, clock, idleSeconds } = this.#options;
    const now = clock.now();
    return db
      .selectFrom('logins')
      .selectAll()
      .where('userId', '=', userId)
      .where('endedAt', 'is', null)
      .where('endsAt', '>', now)
      .where('seenAt', '>', now - idleSeconds * 1000)
      .orderBy('seenAt', 'desc')
      .execute();
  }

  /** Ends one of a person's own logins. Throws login-not-found for anybody else's. */
  async revoke(userId: string, loginId: string): Promise<void> {
    const row = await this.#row(loginId);
    if (!row || row.userId !== userId || row.endedAt !== null) throw new PortalError('login-not-found');
    await this.#end(row, 'revoked');
  }

  /** @returns the ID token for RP-initiated logout, if there is one */
  async logOut(loginId: string): Promise<string | undefined> {
    const row = await this.#row(loginId);
    if (!row || row.endedAt !== null) return undefined;
    const { idToken, refreshToken } = tokensOf(row, this.#options.seal) ?? {};
    await this.#end(row, 'logout');
    if (refreshToken !== undefined) void this.#options.oidc.revoke(refreshToken).catch(() => undefined);
    return idToken;
  }

  /** Ends what is over and asks the IAM about logins that carry open sockets. Called each minute; one sweep at a time. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  // ---- private

  async #sweep(): Promise<void> {
    const { db, clock, log, idleSeconds, trustSeconds } = this.#options;
    const now = clock.now();
    const over = await db
      .selectFrom('logins')
      .selectAll()
      .where('endedAt', 'is', null)
      .where((or) => or.or([or('endsAt', '<=', now), or('seenAt', '<=', now - idleSeconds * 1000)]))
      .execute();
    for (const row of over) await this.#end(row, row.endsAt <= now ? 'expired' : 'idle');
    await this.#recheck.sweep();
    const silent = await db
      .selectFrom('logins')
      .select('id')
      .where('endedAt', 'is', null)
      .where('iamOkAt', '<=', clock.now() - trustSeconds * 1000)
      .execute();
    const told = this.#silent;
    this.#silent = new Set(silent.map(({ id }) => id));
    for (const loginId of this.#silent) {
      if (told.has(loginId)) continue;
      log.warn({ login: loginId }, 'the login service is silent for too long: the login does not count for now');
      this.#tell(loginId, 'iam-silent');
    }
  }

  async #who(found: LoginRow, slide: boolean): Promise<Who | undefined> {
    const { clock, idleSeconds, trustSeconds, policy, db } = this.#options;
    let row = found;
    if (row.endedAt !== null) return undefined;
    const now = clock.now();
    const over = row.endsAt <= now ? 'expired' : row.seenAt + idleSeconds * 1000 <= now ? 'idle' : undefined;
    if (over) {
      await this.#end(row, over);
      return undefined;
    }
    if (this.#recheck.isDue(row)) {
      await this.#recheck.ask(row);
      const again = await this.#row(row.id);
      if (!again || again.endedAt !== null) return undefined;
      row = again;
    }
    if (row.iamOkAt + trustSeconds * 1000 <= clock.now()) return undefined;
    if (slide) await this.#slide(row);
    const user = await findUser(db, row.userId);
    if (!user) return undefined;
    const claims = await db.selectFrom('users').select('claims').where('id', '=', user.id).executeTakeFirstOrThrow();
    const isAdmin = policy.isAdmin({
      groups: user.groups,
      claims: JSON.parse(claims.claims) as Record<string, unknown>,
    });
    return {
      user,
      isAdmin,
      login: { id: row.id, createdAt: row.createdAt, endsAt: row.endsAt, acr: row.acr, authTime: row.authTime },
    };
  }

  async #slide(row: LoginRow): Promise<void> {
    const now = this.#options.clock.now();
    if (now - row.seenAt < slideEveryMs) return;
    await this.#options.db
      .updateTable('logins')
      .set({ seenAt: now })
      .where('id', '=', row.id)
      .where('endedAt', 'is', null)
      .execute();
  }

  async #end(row: LoginRow, reason: EndReason): Promise<void> {
    const { db, seal, clock, log } = this.#options;
    const { numUpdatedRows } = await db
      .updateTable('logins')
      .set({ endedAt: clock.now(), endReason: reason, sealedTokens: seal.seal('{}') })
      .where('id', '=', row.id)
      .where('endedAt', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return;
    this.#recheck.forget(row.id);
    log.info({ login: row.id, user: row.userId, reason }, 'login ended');
    this.#tell(row.id, reason);
  }

  #tell(loginId: string, reason: EndReason): void {
    for (const tell of this.#ended) tell({ loginId, reason });
  }

  #row(id: string): Promise<LoginRow | undefined> {
    return this.#options.db.selectFrom('logins').selectAll().where('id', '=', id).executeTakeFirst();
  }
}
