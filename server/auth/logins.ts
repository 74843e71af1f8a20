// Logins: rows behind an opaque cookie. Sliding and absolute end, refresh against the IAM, revoke. Tokens are sealed.
import type { IncomingMessage } from 'node:http';
import { PortalError } from '../../contract/errors.ts';
import type { Database } from '../db/open.ts';
import type { Seal } from '../db/seal.ts';
import type { Tables } from '../db/tables.ts';
import type { CookieJar } from '../http/cookies.ts';
import type { Clock } from '../lib/clock.ts';
import { base32Id, secret, sha256 } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import { findUser } from '../users/store.ts';
import type { User } from '../users/user.ts';
import type { Answer, Oidc } from './oidc.ts';
import type { Policy, Subject } from './policy.ts';
import type { Authenticate, Who } from './who.ts';

type Row = Tables['logins'];

export interface LoginsOptions {
  db: Database;
  seal: Seal;
  clock: Clock;
  log: Log;
  cookies: CookieJar;
  oidc: Oidc;
  policy: Policy;
  /** Updates the person from fresh claims; returns the person. */
  refreshUser: (answer: Answer) => Promise<{ user: User; subject: Subject }>;
  idleSeconds: number;
  maxSeconds: number;
  recheckSeconds: number;
}

/** Without a refresh token rights are frozen, so such a login lives at most this long. */
const frozenSeconds = 12 * 3600;
const slideEveryMs = 60_000;

export type EndReason = 'logout' | 'revoked' | 'idle' | 'expired' | 'iam-ended' | 'no-longer-allowed';

export class Logins {
  readonly #options: LoginsOptions;
  readonly #ended = new Set<(login: { loginId: string; reason: EndReason }) => void>();
  readonly #refreshing = new Map<string, Promise<void>>();

  constructor(options: LoginsOptions) {
    this.#options = options;
  }

  /** Told when a login ends, so that everything that rests on it ends too. */
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

  list(userId: string): Promise<Row[]> {
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
    const { idToken, refreshToken } = this.#tokens(row);
    await this.#end(row, 'logout');
    if (refreshToken !== undefined) void this.#options.oidc.revoke(refreshToken).catch(() => undefined);
    return idToken;
  }

  /** Ends what is over and asks the IAM about logins that carry open sockets. Called each minute. */
  async sweep(): Promise<void> {
    const { db, clock, idleSeconds } = this.#options;
    const now = clock.now();
    const over = await db
      .selectFrom('logins')
      .selectAll()
      .where('endedAt', 'is', null)
      .where((or) => or.or([or('endsAt', '<=', now), or('seenAt', '<=', now - idleSeconds * 1000)]))
      .execute();
    for (const row of over) await this.#end(row, row.endsAt <= now ? 'expired' : 'idle');
    const due = await db
      .selectFrom('logins')
      .selectAll()
      .where('endedAt', 'is', null)
      .where('iamOkAt', '<=', now - this.#options.recheckSeconds * 1000)
      .where('seenAt', '>', now - this.#options.recheckSeconds * 2000)
      .execute();
    for (const row of due) await this.#recheck(row).catch(() => undefined);
  }

  // ---- private

  async #who(row: Row, slide: boolean): Promise<Who | undefined> {
    const { clock, idleSeconds, recheckSeconds, policy, db } = this.#options;
    if (row.endedAt !== null) return undefined;
    const now = clock.now();
    const over = row.endsAt <= now ? 'expired' : row.seenAt + idleSeconds * 1000 <= now ? 'idle' : undefined;
    if (over) {
      await this.#end(row, over);
      return undefined;
    }
    if (row.iamOkAt + recheckSeconds * 1000 <= now) {
      await this.#recheck(row);
      const again = await this.#row(row.id);
      if (!again || again.endedAt !== null) return undefined;
    }
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

  /** One refresh at a time per login. An IAM that does not answer changes nothing; invalid_grant ends the login. */
  #recheck(row: Row): Promise<void> {
    const running = this.#refreshing.get(row.id);
    if (running) return running;
    const mine = this.#refresh(row).finally(() => this.#refreshing.delete(row.id));
    this.#refreshing.set(row.id, mine);
    return mine;
  }

  async #refresh(row: Row): Promise<void> {
    const { db, seal, clock, oidc, policy, refreshUser, log } = this.#options;
    const tokens = this.#tokens(row);
    if (tokens.refreshToken === undefined) return; // frozen; its life is capped
    const user = await findUser(db, row.userId);
    if (!user) return;
    let answer: Answer | 'ended';
    try {
      answer = await oidc.refresh(tokens.refreshToken, user.sub);
    } catch (error) {
      log.warn({ err: error, login: row.id }, 'rights could not be asked again; the last answer stays');
      return;
    }
    if (answer === 'ended') return this.#end(row, 'iam-ended');
    const fresh = await refreshUser(answer);
    const kept = { ...tokens, ...answer.tokens };
    await db
      .updateTable('logins')
      .set({
        iamOkAt: clock.now(),
        sealedTokens: seal.seal(JSON.stringify(kept)),
        groups: JSON.stringify(fresh.user.groups),
      })
      .where('id', '=', row.id)
      .execute();
    if (!policy.mayLogIn(fresh.subject)) await this.#end(row, 'no-longer-allowed');
  }

  async #slide(row: Row): Promise<void> {
    const now = this.#options.clock.now();
    if (now - row.seenAt < slideEveryMs) return;
    await this.#options.db
      .updateTable('logins')
      .set({ seenAt: now })
      .where('id', '=', row.id)
      .where('endedAt', 'is', null)
      .execute();
  }

  async #end(row: Row, reason: EndReason): Promise<void> {
    const { db, seal, clock, log } = this.#options;
    const { numUpdatedRows } = await db
      .updateTable('logins')
      .set({ endedAt: clock.now(), endReason: reason, sealedTokens: seal.seal('{}') })
      .where('id', '=', row.id)
      .where('endedAt', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return;
    log.info({ login: row.id, user: row.userId, reason }, 'login ended');
    for (const tell of this.#ended) tell({ loginId: row.id, reason });
  }

  #tokens(row: Row): Partial<Answer['tokens']> {
    return JSON.parse(this.#options.seal.open(row.sealedTokens)) as Partial<Answer['tokens']>;
  }

  #row(id: string): Promise<Row | undefined> {
    return this.#options.db.selectFrom('logins').selectAll().where('id', '=', id).executeTakeFirst();
  }
}
