// Sessions: what the API, the gateway and the command line may ask of this room.
import { PortalError } from '../../contract/errors.ts';
import type { StartSessionBody } from '../../contract/api.ts';
import type { AgentCtrl, GatewayCtrl } from '../../contract/tunnel.ts';
import type { AuditWrite } from '../audit/write.ts';
import type { Database } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { ProfileBook } from '../profiles/book.ts';
import type { SiteRegistry } from '../sites/registry.ts';
import { Bus, type Change } from './bus.ts';
import { Cleanups } from './cleanups.ts';
import { Enrolments } from './enrolments.ts';
import { makeHosts, type Hosts } from './hosts.ts';
import { Inbox, type Report } from './inbox.ts';
import { Ledger } from './ledger.ts';
import { mergeCtrl, mergeFact, mergeGateway, type StoppedBy } from './situation.ts';
import { Starts, type Starter } from './start.ts';
import { Stopper } from './stop.ts';
import { hasEnded, SessionStore, type SessionRow, type TimelineEntry } from './store.ts';

export type { Change } from './bus.ts';
export type { Starter } from './start.ts';
export type { SessionRow, TimelineEntry } from './store.ts';

export interface SessionsOptions {
  db: Database;
  clock: Clock;
  log: Log;
  profiles: ProfileBook;
  sites: SiteRegistry;
  audit: AuditWrite;
  installation: string;
  sessionsPerUser: number;
  sessionDomain: string;
  sessionHosts: readonly string[];
  closeGateway: (sessionId: string) => Promise<{ hadWebsockets: boolean }>;
  tellAgent: (sessionId: string, message: GatewayCtrl) => boolean;
  /** A session has ended: its tunnel is cut, its entries and sockets end. */
  ended: (sessionId: string) => Promise<void>;
}

const sweepMs = 3_600_000;

export class Sessions {
  readonly store: SessionStore;
  readonly enrolments: Enrolments;
  readonly hosts: Hosts;
  readonly #options: SessionsOptions;
  readonly #bus = new Bus();
  readonly #ledger: Ledger;
  readonly #starts: Starts;
  readonly #stopper: Stopper;
  readonly #inbox: Inbox;
  readonly #closers: { close(): void | Promise<void> }[] = [];
  readonly #cleanups: Cleanups;
  #unsynced = new Set<string>();
  #closed = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { db, clock, log, sites } = options;
    this.#cleanups = new Cleanups(log);
    this.store = new SessionStore(db);
    this.hosts = makeHosts(db, clock, options.sessionDomain, options.sessionHosts);
    this.#ledger = new Ledger({
      store: this.store,
      bus: this.#bus,
      clock,
      log,
      onEnd: (session) => this.#afterEnd(session),
    });
    this.enrolments = new Enrolments(db, clock, {
      conflict: (id) => void this.#inbox.put(id, { source: 'gateway', event: 'conflict' }),
      enrolled: (id) => void this.#inbox.put(id, { source: 'gateway', event: 'enrolled' }),
    });
    this.#starts = new Starts({
      ...options,
      store: this.store,
      ledger: this.#ledger,
      bus: this.#bus,
      enrolments: this.enrolments,
      hosts: this.hosts,
    });
    this.#stopper = new Stopper({
      ...options,
      store: this.store,
      ledger: this.#ledger,
      spawnerOf: (site) => sites.get(site)?.spawner,
    });
    this.#inbox = new Inbox(db, clock, log, (id, report, at) => this.#apply(id, report, at));
  }

  // ---- what people do

  start(by: Starter, body: StartSessionBody, key?: string): Promise<{ session: SessionRow; isNew: boolean }> {
    return this.#starts.start(by, body, key);
  }

  /** Stop, or cancel before ready. Resolves when the session is marked; the work goes on. Throws session-ended. */
  async stop(session: SessionRow, by: StoppedBy, address?: string): Promise<SessionRow> {
    if (hasEnded(session)) throw new PortalError('session-ended');
    await this.#options.audit({
      action: 'session-stop',
      userId: session.userId,
      sessionId: session.id,
      jobId: session.jobId,
      node: session.node,
      ...(address === undefined ? {} : { address }),
      detail: { by },
    });
    await this.#stopper.stop(session.id, by);
    return (await this.store.find(session.id)) ?? session;
  }

  /** Stop, and wait until the site has confirmed that nothing is left. */
  async stopAndWait(session: SessionRow, by: StoppedBy): Promise<SessionRow> {
    await this.stop(session, by);
    await this.#stopper.settled(session.id);
    return (await this.store.find(session.id)) ?? session;
  }

  /** Gives up a session with which contact is lost; cleaning up at the site goes on. Throws session-not-ended for others. */
  async forget(session: SessionRow): Promise<void> {
    if (session.state !== 'lost')
      throw new PortalError('session-not-ended', {
        message: 'Only a session with which contact is lost can be given up. Stop it instead.',
      });
    await this.#ledger.change(session.id, (situation) => ({ ...situation, forgottenAt: this.#options.clock.now() }));
  }

  /** Takes an ended session and its log away. Throws session-not-ended. */
  async remove(session: SessionRow): Promise<void> {
    if (!hasEnded(session)) throw new PortalError('session-not-ended');
    await this.#cleanups.of(session.id);
    await this.#options.sites.get(session.site)?.spawner.forget(session.id);
    await this.store.markDeleted(session.id, this.#options.clock.now());
    this.#bus.tell({ session: { ...session, deletedAt: this.#options.clock.now() }, row: null });
  }

  /** The session of a person; anybody else's does not exist. Throws session-not-found. */
  async ownedBy(userId: string, id: string): Promise<SessionRow> {
    const session = await this.store.find(id);
    if (!session || session.userId !== userId) throw new PortalError('session-not-found');
    return session;
  }

  async *log(
    session: SessionRow,
    want: { tailLines: number; follow: boolean; signal?: AbortSignal },
  ): AsyncIterable<string> {
    const spawner = this.#options.sites.get(session.site)?.spawner;
    if (spawner) yield* spawner.logs(session.id, want);
  }

  onChange(tell: (change: Change) => void): { close(): void } {
    return this.#bus.onChange(tell);
  }

  timelineAfter(userId: string, id: number): Promise<TimelineEntry[]> {
    return this.store.timelineAfter(userId, id, 500);
  }

  // ---- what the gateway tells

  /** A person used the session. */
  person(id: string): void {
    this.store
      .markActive(id, this.#options.clock.now())
      .catch((error: unknown) => this.#options.log.warn({ err: error, session: id }, 'activity not written'));
  }
  tunnelUp(id: string): void {
    void this.#inbox.put(id, { source: 'gateway', event: 'up' });
  }
  tunnelDown(id: string, reason: string): void {
    if (!this.#closed) void this.#inbox.put(id, { source: 'gateway', event: 'down', reason });
  }
  ctrl(id: string, message: AgentCtrl): void {
    if (message.kind === 'phase' || message.kind === 'exit') void this.#inbox.put(id, { source: 'agent', message });
  }

  // ---- life

  /** True when every site has reported what exists there. */
  get synced(): boolean {
    return this.#unsynced.size === 0;
  }

  /** Adopts what runs, resumes what was under way, and keeps watching. */
  async run(): Promise<void> {
    const { sites, clock, log } = this.#options;
    await this.#inbox.replay();
    for (const session of await this.store.listLive()) {
      // No tunnel is up at a start; agents dial again within seconds.
      await this.#ledger.change(session.id, (situation) =>
        situation.tunnel?.up ? { ...situation, tunnel: { up: false, at: clock.now() } } : situation,
      );
      if (session.situation.orderedAt === undefined && !session.situation.stop) this.#starts.launch(session);
      if (session.situation.stop) this.#stopper.resume(session.id);
    }
    for (const session of await this.store.listUncleaned()) this.#afterEnd(session);
    for (const { site, spawner } of sites.list()) {
      this.#unsynced.add(site.name);
      const known = new Set<string>();
      this.#closers.push(
        spawner.observe({
          report: (fact) => {
            known.add(fact.sessionId);
            void this.#inbox.put(fact.sessionId, { source: 'spawner', site: site.name, fact });
          },
          synced: () => {
            this.#unsynced.delete(site.name);
            this.#findVanished(site.name, known).catch((error: unknown) =>
              log.error({ err: error, site: site.name }, 'vanished sessions could not be looked for'),
            );
          },
        }),
      );
    }
    const sweep = (): void => {
      this.sweep().catch((error: unknown) => log.warn({ err: error }, 'sweep failed'));
      timer = clock.after(sweepMs, sweep);
    };
    let timer = clock.after(sweepMs, sweep);
    this.#closers.push({ close: () => timer.close() });
  }

  /** Forgets what nobody needs any more: applied reports, old keys, tombstones. Called each hour. */
  async sweep(): Promise<void> {
    await Promise.all([this.enrolments.sweep(), this.#inbox.sweep(), this.#starts.sweep()]);
  }

  /** Sessions go on; unfinished work is resumed by the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopper.close();
    this.#ledger.close();
    for (const closer of this.#closers) await closer.close();
    await this.#starts.settled();
    await this.#inbox.settled();
  }

  async #apply(id: string, report: Report, at: number): Promise<void> {
    if (report.source === 'spawner') {
      const { fact, site } = report;
      const session = await this.#ledger.change(id, (situation) => mergeFact(situation, fact), {
        raw: fact.raw ?? fact.message,
        facts: { jobId: fact.jobId, node: fact.node },
      });
      // Something runs for a session that is over or was deleted: a leak. It is ended.
      if (fact.kind !== 'ended' && fact.kind !== 'unknown' && (!session || hasEnded(session))) {
        this.#options.log.warn({ session: id, site }, 'something still runs for an ended session; ending it');
        this.#cleanups.add(id, () => this.#stopper.clear(id, site));
      }
    } else if (report.source === 'agent') {
      const { message } = report;
      await this.#ledger.change(id, (situation) => mergeCtrl(situation, message), {
        raw: 'message' in message ? message.message : undefined,
      });
    } else {
      await this.#ledger.change(id, (situation) => mergeGateway(situation, report.event, at), {
        raw: report.reason,
      });
      if (report.event === 'up') await this.#tellDeadline(id);
      if (report.event === 'conflict')
        await this.#options.audit({ action: 'enrolment-conflict', sessionId: id, detail: {} });
    }
  }

  async #tellDeadline(id: string): Promise<void> {
    const session = await this.store.find(id);
    if (!session || session.endsAt === null || session.spec.walltimeSeconds === null) return;
    this.#options.tellAgent(id, {
      kind: 'deadline',
      at: session.endsAt,
      inSeconds: (session.endsAt - this.#options.clock.now()) / 1000,
    });
  }

  /** Absence counts only after the site has said that it told everything, and only for sessions that were handed over. */
  async #findVanished(site: string, known: Set<string>): Promise<void> {
    for (const session of await this.store.listLive()) {
      const { orderedAt, spawner } = session.situation;
      if (session.site !== site || known.has(session.id) || orderedAt === undefined) continue;
      if (spawner === undefined && !session.situation.stop) this.#starts.launch(session);
      else
        await this.#ledger.change(session.id, (situation) => ({ ...situation, vanishedAt: this.#options.clock.now() }));
    }
  }

  /** After an end: keys answer 410, sockets close, and the site confirms that nothing is left. */
  #afterEnd(session: SessionRow): void {
    this.#cleanups.add(session.id, async () => {
      await this.enrolments.end(session.id, session.spec.maxAgeSeconds);
      await this.#options.ended(session.id);
      if ((await this.#stopper.clear(session.id, session.site)) && !this.#closed) await this.hosts.free(session.id);
    });
  }
}
