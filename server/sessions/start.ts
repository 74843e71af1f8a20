// Start: profile visible, quota, row and host, one-time token, then the spawner in the background.
import { PortalError } from '../../contract/errors.ts';
import type { StartSessionBody } from '../../contract/api.ts';
import type { AuditWrite } from '../audit/write.ts';
import type { Database } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import { sessionId as newSessionId, sha256 } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import type { ProfileBook } from '../profiles/book.ts';
import { resolveProfile } from '../profiles/resolve.ts';
import type { SiteRegistry } from '../sites/registry.ts';
import type { User } from '../users/user.ts';
import type { Bus } from './bus.ts';
import type { Enrolments } from './enrolments.ts';
import type { Hosts } from './hosts.ts';
import type { Ledger } from './ledger.ts';
import { hasEnded, type SessionRow, type SessionStore } from './store.ts';
import { stateWords } from './words.ts';

/** Who starts, and by which login. */
export interface Starter {
  user: User;
  loginId: string;
  acr: string | null;
  authTime: number | null;
  address: string;
}

export interface StartOptions {
  db: Database;
  store: SessionStore;
  ledger: Ledger;
  bus: Bus;
  enrolments: Enrolments;
  hosts: Hosts;
  profiles: ProfileBook;
  sites: SiteRegistry;
  audit: AuditWrite;
  clock: Clock;
  log: Log;
  installation: string;
  sessionsPerUser: number;
}

export class Starts {
  readonly #options: StartOptions;
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #launching = new Set<Promise<void>>();

  constructor(options: StartOptions) {
    this.#options = options;
  }

  /**
   * One start of a person after the other: two at once cannot pass the quota together.
   * @param key Idempotency-Key: for a day the same key with the same body gives the same session; when that was deleted,
   *   the key begins anew
   * @throws PortalError profile-unknown, bad-request, quota-sessions, idempotency-conflict, site-unavailable
   */
  start(
    by: Starter,
    body: StartSessionBody,
    key: string | undefined,
  ): Promise<{ session: SessionRow; isNew: boolean }> {
    const before = this.#queues.get(by.user.id) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => this.#start(by, body, key));
    const settled = mine
      .catch(() => undefined)
      .then(() => {
        if (this.#queues.get(by.user.id) === settled) this.#queues.delete(by.user.id);
      });
    this.#queues.set(by.user.id, settled);
    return mine;
  }

  /** Hands a session to its spawner, with a new one-time token. Also after a crash between row and order. */
  launch(session: SessionRow): void {
    const work = this.#launch(session).finally(() => this.#launching.delete(work));
    this.#launching.add(work);
  }

  /** Forgets keys that nobody will repeat any more. */
  async sweep(): Promise<void> {
    const { db, clock } = this.#options;
    await db
      .deleteFrom('idempotencyKeys')
      .where('createdAt', '<', clock.now() - 86_400_000)
      .execute();
  }

  async settled(): Promise<void> {
    await Promise.all(this.#launching);
  }

  async #start(
    by: Starter,
    body: StartSessionBody,
    key: string | undefined,
  ): Promise<{ session: SessionRow; isNew: boolean }> {
    const { db, store, bus, hosts, profiles, sites, audit, clock, installation, sessionsPerUser } = this.#options;
    const requestHash = sha256(JSON.stringify(body));
    const repeated = key === undefined ? undefined : await this.#repeated(by.user.id, key, requestHash);
    if (repeated) return { session: repeated, isNew: false };

    const profile = profiles.visible(by.user.groups).find((one) => one.id === body.profile);
    if (!profile) throw new PortalError('profile-unknown', { detail: { profile: body.profile, user: by.user.id } });
    const site = sites.get(profile.site);
    if (!site) throw new PortalError('site-unavailable');
    const { health, message } = await sites.health(profile.site);
    if (health === 'down')
      throw new PortalError(
        'site-unavailable',
        message === null ? {} : { message: `${site.site.title} is down. ${message}` },
      );
    const used = await store.countLive(by.user.id);
    if (used >= sessionsPerUser) {
      throw new PortalError('quota-sessions', {
        message: `You have ${used} sessions and may have ${sessionsPerUser} at once. Stop one first.`,
      });
    }
    const id = newSessionId();
    const { spec, resources } = resolveProfile({
      profile,
      site: site.site,
      user: by.user,
      choices: body.choices ?? {},
      sessionId: id,
      installation,
      ...(body.title === undefined ? {} : { title: body.title }),
    });
    const now = clock.now();
    const row: Omit<SessionRow, 'host'> = {
      id,
      userId: by.user.id,
      profileId: profile.id,
      profileTitle: profile.title,
      site: site.site.name,
      siteTitle: site.site.title,
      title: spec.title,
      resources,
      spec,
      situation: {},
      state: 'checking',
      cause: null,
      words: stateWords('checking'),
      jobId: null,
      node: null,
      acr: by.acr,
      authTime: by.authTime,
      project: null,
      loginId: by.loginId,
      createdAt: now,
      updatedAt: now,
      readyAt: null,
      endedAt: null,
      endsAt: null,
      activeAt: now,
      deletedAt: null,
    };
    // All or nothing, the key first: neither a crash nor a second request with the key leaves half a start.
    const written = await db.transaction().execute(async (within) => {
      if (key !== undefined && !(await remember(within, by.user.id, key, requestHash, id, now))) return undefined;
      const session = { ...row, host: await hosts.allocate(id, by.user.id, within) };
      return { session, entry: await store.insert(session, within) };
    });
    if (!written) {
      const session = await this.#repeated(by.user.id, key!, requestHash);
      if (!session) throw new PortalError('internal', { detail: { key, user: by.user.id } });
      return { session, isNew: false };
    }
    const { session, entry } = written;
    bus.tell({ session, row: entry });
    await audit({
      action: 'session-start',
      userId: by.user.id,
      loginId: by.loginId,
      sessionId: id,
      address: by.address,
      detail: { profile: profile.id, site: row.site },
    });
    this.launch(session);
    return { session, isNew: true };
  }

  async #launch(session: SessionRow): Promise<void> {
    const { ledger, enrolments, sites, clock, log } = this.#options;
    const { id } = session;
    try {
      const site = sites.get(session.site);
      if (!site)
        throw new PortalError('site-unavailable', { message: `The site '${session.site}' is no longer configured.` });
      const token = await enrolments.issue(id);
      const ordered = await ledger.change(id, (situation) =>
        situation.stop ? situation : { ...situation, orderedAt: clock.now() },
      );
      // Cancelled meanwhile: nothing is started for it. Whoever stops it ends the enrolment, unless that was before.
      if (!ordered || hasEnded(ordered)) return await enrolments.end(id, session.spec.maxAgeSeconds);
      if (ordered.situation.stop) return;
      await site.spawner.start({ ...session.spec, enrol: { url: site.agentUrl, token } });
    } catch (error) {
      log.warn({ err: error, session: id }, 'session could not be started');
      const message = error instanceof PortalError ? error.message : 'Something failed on our side.';
      const raw = error instanceof Error ? error.message : String(error);
      await ledger
        .change(
          id,
          (situation) => (situation.stop ? situation : { ...situation, startError: { at: clock.now(), message } }),
          { raw },
        )
        .catch((failure: unknown) => log.error({ err: failure, session: id }, 'failed start could not be recorded'));
    }
  }

  async #repeated(userId: string, key: string, requestHash: string): Promise<SessionRow | undefined> {
    const { db, store } = this.#options;
    const known = await db
      .selectFrom('idempotencyKeys')
      .selectAll()
      .where('userId', '=', userId)
      .where('key', '=', key)
      .executeTakeFirst();
    if (!known) return undefined;
    if (known.requestHash !== requestHash) throw new PortalError('idempotency-conflict');
    const session = await store.find((JSON.parse(known.body) as { sessionId: string }).sessionId);
    // Deleted meanwhile: the key is free again.
    if (!session) await db.deleteFrom('idempotencyKeys').where('userId', '=', userId).where('key', '=', key).execute();
    return session;
  }
}

/** @returns false when another request used the key first */
async function remember(
  db: Database,
  userId: string,
  key: string,
  requestHash: string,
  sessionId: string,
  createdAt: number,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('idempotencyKeys')
    .values({ userId, key, requestHash, status: 201, body: JSON.stringify({ sessionId }), createdAt })
    .onConflict((conflict) => conflict.columns(['userId', 'key']).doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}
