// The composition root: builds the parts, hands them to each other, and listens.
import path from 'node:path';
import { Entries } from './auth/entries.ts';
import { makeEnter } from './auth/enter.ts';
import { Logins } from './auth/logins.ts';
import { makeLoginRoutes } from './auth/login-routes.ts';
import { makeOidc } from './auth/oidc.ts';
import { makePendingLogins } from './auth/pending.ts';
import { purgeLogins } from './auth/purge.ts';
import { makePolicy } from './auth/policy.ts';
import { makeRefreshUser } from './auth/refresh-user.ts';
import { makeSelfFetch } from './auth/self-fetch.ts';
import { makeApi } from './api/api.ts';
import { makeAuditWrite } from './audit/write.ts';
import { controlPath } from './cli/control-path.ts';
import { serveControl } from './cli/control-server.ts';
import { prepareDataDir } from './config/data-dir.ts';
import { lockDataDir } from './config/data-dir-lock.ts';
import { ConfigError, type Settings } from './config/settings.ts';
import { installationId } from './db/installation.ts';
import { openDatabase } from './db/open.ts';
import { makeDispatch } from './dispatch.ts';
import { makeAddressOf } from './http/address.ts';
import { makeCookieJar } from './http/cookies.ts';
import { makeGatewayPorts } from './gateway-ports.ts';
import type { Clock } from './lib/clock.ts';
import type { Log } from './lib/log.ts';
import { openListeners } from './listeners.ts';
import { makeLocalSite } from './local-site.ts';
import { httpSeries } from './metrics/http.ts';
import { makeRegistry } from './metrics/registry.ts';
import { sessionSeries } from './metrics/sessions.ts';
import { tunnelSeries } from './metrics/tunnel.ts';
import { openSeal } from './open-seal.ts';
import { makePortal } from './portal.ts';
import { makeProfileBook } from './profiles/book.ts';
import { loadProfiles } from './profiles/load.ts';
import { Gateway } from './proxy/gateway.ts';
import type { Ended } from './proxy/ports.ts';
import { Sessions } from './sessions/index.ts';
import { loadSites } from './sites/load.ts';
import { SiteRegistry } from './sites/registry.ts';
import { Hub } from './tunnel/hub.ts';
import { isEnd } from '../contract/states.ts';

export interface AppOptions {
  settings: Settings;
  clock: Clock;
  log: Log;
  /** Folder of package.json: the page, the agent and the shipped profiles lie below it. */
  packageRoot: string;
}

export interface App {
  port: number;
  url: string;
  /** Demo people with their passwords, at the very first start only. */
  fresh: { username: string; password: string }[];
  /** What the person who starts the server should know. */
  notes: string[];
  /** Sessions go on. */
  close(): Promise<void>;
}

/** @throws ConfigError, FileError, or an Error with a sentence for the person who starts the server */
export async function createApp({ settings, clock, log, packageRoot }: AppOptions): Promise<App> {
  const { config, publicUrl } = settings;
  const portalOrigin = publicUrl.origin;
  const originOf = settings.sessionOrigin;
  prepareDataDir(settings.dataDir);
  const sites = loadSites(path.resolve(config.sitesFile ?? path.join(packageRoot, 'spawner-profiles/demo/sites.yaml')));
  const profiles = makeProfileBook(
    loadProfiles(path.resolve(config.profilesDir ?? path.join(packageRoot, 'spawner-profiles/demo/profiles')), sites),
  );
  const addressOf = trusted(config.trustProxy);
  const socketPath = controlPath(settings.dataDir);
  const lock = await lockDataDir(settings.dataDir, socketPath);
  const closers: (() => void | Promise<void>)[] = [() => lock.close()];
  try {
    const db = await openDatabase(settings.databaseUrl).catch((error: unknown) => {
      throw new ConfigError([`database: cannot be opened (${error instanceof Error ? error.message : String(error)})`]);
    });
    closers.push(() => db.destroy());
    const seal = await openSeal(settings.dataDir, db);
    const installation = await installationId(db);
    const audit = makeAuditWrite(db, clock, log);
    const registry = makeRegistry();
    const series = { http: httpSeries(registry), sessions: sessionSeries(registry), tunnel: tunnelSeries(registry) };
    const cookies = makeCookieJar(publicUrl);

    // ---- people
    const iam = settings.embeddedIssuer
      ? // Only where it is used: it is large, and has something to say about versions of Node.
        await (
          await import('./iam/iam.ts')
        ).makeIam({ issuerUrl: `${portalOrigin}/iam`, portal: portalOrigin, db, seal, clock, log, addressOf })
      : undefined;
    const issuer = config.issuer ?? {
      url: `${portalOrigin}/iam`,
      clientId: iam!.clientId,
      clientSecret: iam!.clientSecret,
      clientAuth: 'client_secret_basic' as const,
      scopes: ['openid', 'profile', 'email', 'groups'],
      groupsClaim: 'groups',
      nameClaim: 'name',
    };
    const oidc = makeOidc({
      issuer,
      redirectUri: `${portalOrigin}/auth/callback`,
      postLogoutUri: `${portalOrigin}/`,
      clock,
      log,
      ...(iam ? { fetch: makeSelfFetch(socketPath) } : {}),
    });
    const policy = makePolicy(config.access.allow, config.access.admins, settings.embeddedIssuer);
    const refreshUser = makeRefreshUser(db, clock, issuer);
    const logins = new Logins({ db, seal, clock, log, cookies, oidc, policy, refreshUser, ...config.logins });
    const entries = new Entries({ db, clock, isValid: (loginId) => logins.isValid(loginId) });

    // ---- sessions
    const local = await makeLocalSite({ settings, db, clock, log, packageRoot });
    const siteRegistry = new SiteRegistry(
      sites.map((site) => ({
        site,
        spawner: local.forSite(site.name),
        agentUrl: site.agentUrl ?? settings.agentUrl.origin,
      })),
      clock,
    );
    const endedListeners = new Set<(what: Ended) => void>();
    const tellEnded = (what: Ended): void => endedListeners.forEach((tell) => tell(what));
    const sessions: Sessions = new Sessions({
      db,
      clock,
      log,
      profiles,
      sites: siteRegistry,
      audit,
      installation,
      sessionsPerUser: config.quota.sessionsPerUser,
      sessionDomain: settings.sessionDomain,
      sessionHosts: settings.sessionHosts,
      closeGateway: (id) => Promise.resolve(gateway.closeSession(id)),
      tellAgent: (id, message) => hub.send(id, message),
      ended: async (id) => {
        tellEnded({ sessionId: id });
        await entries.endForSession(id, 'session ended');
        gateway.forgetSession(id);
        hub.drop(id, 'the session has ended');
      },
    });

    // ---- gateway
    const hub = new Hub({
      credentials: sessions.enrolments,
      on: {
        up: (id) => sessions.tunnelUp(id),
        down: (id, reason) => sessions.tunnelDown(id, reason),
        ctrl: (id, message) => sessions.ctrl(id, message),
      },
      clock,
      log,
      addressOf,
      meter: {
        bytes: (direction, count) => series.tunnel.bytes.inc({ direction }, count),
        reset: (code) => series.tunnel.resets.inc({ code: String(code) }),
      },
    });
    const ports = makeGatewayPorts({
      sessions,
      entries,
      logins,
      audit,
      log,
      dial: (id) => hub.dial(id),
      onEnded: (tell) => {
        endedListeners.add(tell);
        return { close: () => void endedListeners.delete(tell) };
      },
      isPool: settings.sessionHosts.length > 0,
    });
    const gateway = new Gateway({ ports, portal: portalOrigin, originOf, cookies, clock, log, addressOf });
    logins.onEnded(({ loginId, reason }) => {
      tellEnded({ loginId });
      entries
        .endForLogin(loginId, reason)
        .catch((error: unknown) => log.error({ err: error, login: loginId }, 'entries of a login not ended'));
    });
    entries.onEnded(({ entryId }) => tellEnded({ entryId }));

    // ---- portal
    const loginRoutes = makeLoginRoutes({
      publicUrl,
      issuerOrigin: new URL(issuer.url).origin,
      oidc,
      pending: makePendingLogins(db, seal, clock),
      logins,
      cookies,
      policy,
      refreshUser,
      addressOf,
      audit,
      log,
    });
    const enter = makeEnter({
      portal: portalOrigin,
      authenticate: logins.authenticate,
      entries,
      right: async (sessionId, who) => {
        const row = await sessions.store.find(sessionId);
        return row && row.userId === who.user.id ? { origin: originOf(row.host), role: 'owner' } : undefined;
      },
    });
    const api = makeApi({
      authenticate: logins.authenticate,
      logins,
      sessions,
      profiles,
      sites: siteRegistry,
      audit,
      portal: portalOrigin,
      originOf,
      addressOf,
      sessionsPerUser: config.quota.sessionsPerUser,
      idleSeconds: config.logins.idleSeconds,
      clock,
    });
    const portal = makePortal({
      secure: publicUrl.protocol === 'https:',
      issuerOrigin: new URL(issuer.url).origin,
      iam: iam?.router,
      loginRoutes,
      enter,
      api,
      metrics: { registry, token: config.metrics.token },
      webDirectory: path.join(packageRoot, 'dist/web'),
      log,
    });

    // ---- listen
    const dispatch = makeDispatch({
      publicUrl,
      agentUrls: [
        settings.agentUrl,
        ...sites.flatMap((site) => (site.agentUrl === undefined ? [] : [new URL(site.agentUrl)])),
      ],
      sessionDomain: settings.sessionDomain,
      sessionHosts: settings.sessionHosts,
      gateway,
      hub,
      portal,
      checks: {
        database: async () => (await db.selectFrom('installation').select('key').limit(1).execute()).length > 0,
        sites: () => sessions.synced,
      },
      count: (part, status) => series.http.requests.inc({ part, status: `${Math.floor(status / 100)}xx` }),
      log,
    });
    const port = await openListeners({ settings, dispatch, registry, closers, clock, log });
    const control = await serveControl({ path: socketPath, sessions, iam: iam?.router, log });
    closers.push(() => control.close());

    const watch = sessions.onChange(({ session, row }) => {
      if (!row) return;
      series.sessions.changes.inc({ state: session.state });
      if (session.state === 'ready' && session.readyAt === row.at)
        series.sessions.startSeconds.observe((row.at - session.createdAt) / 1000);
      if (row.state === 'checking') series.sessions.live.inc();
      if (isEnd(row.state)) series.sessions.live.dec();
    });
    series.sessions.live.set((await sessions.store.listLive()).length);
    await sessions.run();
    const minute = setInterval(() => {
      const { tunnels, streams } = hub.stats();
      series.tunnel.tunnels.set(tunnels);
      series.tunnel.streams.set(streams);
      logins.sweep().catch((error: unknown) => log.error({ err: error }, 'logins not swept'));
    }, 60_000);
    minute.unref();
    const purge = async (): Promise<void> => {
      await purgeLogins(db, clock.now());
      await iam?.purge();
    };
    await purge();
    const hour = setInterval(() => {
      purge().catch((error: unknown) => log.error({ err: error }, 'old rows not deleted'));
    }, 3_600_000);
    hour.unref();
    closers.push(async () => {
      clearInterval(minute);
      clearInterval(hour);
      watch.close();
      gateway.close();
      await sessions.close();
      hub.close();
    });
    const notes = local.sandbox.available
      ? []
      : [
          `Sessions run without a sandbox: ${local.sandbox.reason}. People of this machine could read each other's files.`,
        ];
    return { port, url: portalOrigin, fresh: iam?.fresh ?? [], notes, close: () => closeAll(closers) };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

/** In the reverse order of building. */
async function closeAll(closers: (() => void | Promise<void>)[]): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

function trusted(entries: readonly string[]): ReturnType<typeof makeAddressOf> {
  try {
    return makeAddressOf(entries);
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)]);
  }
}
