// What the gateway asks of the other rooms, put together: sessions by host, entries, tunnels, people, audit.
import type { AuditWrite } from './audit/write.ts';
import type { Entries } from './auth/entries.ts';
import type { Logins } from './auth/logins.ts';
import type { Log } from './lib/log.ts';
import type { HostedSession, Ports } from './proxy/ports.ts';
import type { Sessions } from './sessions/index.ts';

export interface GatewayPortsOptions {
  sessions: Sessions;
  entries: Entries;
  logins: Logins;
  audit: AuditWrite;
  log: Log;
  dial: Ports['dial'];
  onEnded: Ports['onEnded'];
  /** Hosts come from a fixed pool, so a name may have had another owner before. */
  isPool: boolean;
}

export function makeGatewayPorts(options: GatewayPortsOptions): Ports {
  const { sessions, entries, logins, audit, log, dial, onEnded, isPool } = options;
  return {
    async sessionByHost(host): Promise<HostedSession | undefined> {
      const row = await sessions.store.findByHost(host);
      if (!row) return undefined;
      const clearStorage = isPool && (await sessions.hosts.needsClearing(row.id));
      return {
        id: row.id,
        host: row.host,
        ownerId: row.userId,
        title: row.title,
        profileId: row.profileId,
        state: row.state,
        words: row.words,
        endsAt: row.endsAt,
        clearStorage,
      };
    },
    redeem: (want) => entries.redeem(want),
    admit: (want) => entries.admit(want),
    dial,
    cleared: (id) =>
      void sessions.hosts
        .cleared(id)
        .catch((error: unknown) => log.warn({ err: error, session: id }, 'clearing not recorded')),
    entered: ({ sessionId, address, entryId, userId, loginId }) =>
      void audit({ action: 'entry', sessionId, userId, loginId, address, detail: { entryId } }),
    person: (visitor, id) => {
      void logins.slide(visitor.loginId).catch((error: unknown) => log.warn({ err: error }, 'login not slid'));
      sessions.person(id);
    },
    onEnded,
  };
}
