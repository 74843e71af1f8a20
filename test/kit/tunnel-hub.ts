// A hub over real sockets, with keys and a clock that a test sets.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { PortalError, type ErrorCode } from '../../contract/errors.ts';
import { enrolPath } from '../../contract/tunnel.ts';
import { guardUpgrade } from '../../server/http/upgrade.ts';
import { makeLog } from '../../server/lib/log.ts';
import { Hub } from '../../server/tunnel/hub.ts';
import { hashOf, openTunnel, type AgentEnd, type Dial } from './tunnel-agent.ts';
import { handClock, type HandClock } from './tunnel-clock.ts';
import { until } from './until.ts';

export interface TestHub {
  hub: Hub;
  port: number;
  clock: HandClock;
  /** Connection key -> whose it is. */
  keys: Map<string, { session: string; epoch: number } | 'ended'>;
  /** What looking up a key waits for. */
  gate: Promise<void>;
  /** How many keys were looked up. */
  asked: number;
  /** How every enrolment is refused. */
  enrolment: ErrorCode;
  /** What the hub told: 'up s', 'down s: reason', 'ctrl s kind'. */
  told: string[];
  /** A new session's key. */
  key(session: string): string;
  /** A tunnel that is up. */
  tunnel(session: string, dial?: Dial): Promise<AgentEnd>;
  close(): Promise<void>;
}

export async function testHub(): Promise<TestHub> {
  const keys: TestHub['keys'] = new Map();
  const told: string[] = [];
  const clock = handClock();
  const ends: AgentEnd[] = [];
  const hub = new Hub({
    credentials: {
      enrol: () => Promise.reject(new PortalError(made.enrolment)),
      find: async (keyHash) => {
        made.asked += 1;
        await made.gate;
        return [...keys].find(([key]) => hashOf(key) === keyHash)?.[1];
      },
    },
    on: {
      up: (session) => void told.push(`up ${session}`),
      down: (session, reason) => void told.push(`down ${session}: ${reason}`),
      ctrl: (session, message) => void told.push(`ctrl ${session} ${message.kind}`),
    },
    clock,
    log: makeLog('silent'),
    addressOf: (request) => String(request.headers['x-test-address'] ?? '192.0.2.1'),
  });
  const server = http.createServer((request, response) => {
    if (request.url === enrolPath) void hub.enrol(request, response);
    else response.end();
  });
  server.on(
    'upgrade',
    guardUpgrade((request, socket, head) => hub.upgrade(request, socket, head)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const made: TestHub = {
    hub,
    port,
    clock,
    keys,
    gate: Promise.resolve(),
    asked: 0,
    enrolment: 'enrolment-unknown',
    told,
    key(session) {
      const key = `${session}-${'k'.repeat(43)}`;
      keys.set(key, { session, epoch: 1 });
      return key;
    },
    async tunnel(session, dial = {}) {
      const end = await openTunnel(port, { key: made.key(session), ...dial });
      ends.push(end);
      const before = told.length;
      end.hello();
      await until(() => told.slice(before).includes(`up ${session}`), 'the tunnel is up');
      return end;
    },
    async close() {
      hub.close();
      ends.forEach((end) => end.close());
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return made;
}
