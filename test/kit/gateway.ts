// A gateway over real sockets in front of the mirror app, with rights that a test sets.
import http, { Agent } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { WebSocket, type ClientOptions } from 'ws';
import { makeCookieJar } from '../../server/http/cookies.ts';
import { guardUpgrade } from '../../server/http/upgrade.ts';
import { makeLog } from '../../server/lib/log.ts';
import { Gateway } from '../../server/proxy/gateway.ts';
import type { Ended, HostedSession, Ports, Visitor } from '../../server/proxy/ports.ts';
import { movableClock, type MovableClock } from './clock.ts';
import { Client } from './http.ts';
import { mirror, type Mirror } from './mirror.ts';

export const entrySecret = 'e'.repeat(43);

export interface TestGateway {
  port: number;
  /** Origin of the session's host. */
  origin: string;
  host: string;
  app: Mirror;
  clock: MovableClock;
  gateway: Gateway;
  session: HostedSession;
  visitor: Visitor;
  /** Session ids that a person was seen in. */
  persons: string[];
  end(what: Ended): void;
  /** A client that has entered. */
  client(): Client;
  /** Opens a websocket; resolves with it, or with the status that refused it. */
  websocket(options?: ClientOptions & { path?: string; protocol?: string }): Promise<WebSocket | number>;
  /** False: the tunnel is away. */
  reachable: boolean;
  /** False: no entry counts. */
  admits: boolean;
  close(): Promise<void>;
}

export async function testGateway(kind: 'jupyterlab' | 'argv' = 'jupyterlab'): Promise<TestGateway> {
  const app = await mirror();
  const server = http.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const host = 's-aaaaaaaaaaaaaaaa.localhost';
  const session: HostedSession = {
    id: 'aaaaaaaaaaaaaaaa',
    host,
    ownerId: 'u_ada',
    title: 'My <lab>',
    profileId: 'jupyterlab',
    state: 'ready',
    words: 'Ready.',
    endsAt: null,
    clearStorage: false,
  };
  const visitor: Visitor = { entryId: 'e1', loginId: 'l1', userId: 'u_ada', name: 'Ada Löwe', role: 'owner' };
  const listeners = new Set<(what: Ended) => void>();
  const agent = new Agent({ keepAlive: true });
  agent.createConnection = (() => net.connect(app.port, '127.0.0.1')) as Agent['createConnection'];
  const clock = movableClock();
  const made = {
    port,
    clock,
    origin: `http://${host}:${port}`,
    host,
    app,
    session,
    visitor,
    persons: [] as string[],
    reachable: true,
    admits: true,
    end: (what: Ended) => listeners.forEach((tell) => tell(what)),
    websocket: (options: ClientOptions & { path?: string; protocol?: string } = {}) =>
      new Promise<WebSocket | number>((resolve, reject) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}${options.path ?? '/ws'}`, options.protocol ?? [], {
          ...options,
          headers: {
            host: `${host}:${port}`,
            origin: `http://${host}:${port}`,
            cookie: `__Host-ls=${entrySecret}`,
            ...options.headers,
          },
        });
        socket.once('open', () => resolve(socket));
        socket.once('unexpected-response', (request, response) => {
          resolve(response.statusCode ?? 0);
          request.destroy();
        });
        socket.once('error', reject);
      }),
    client: () => {
      const client = new Client(port);
      client.jar.set(host, new Map([['__Host-ls', entrySecret]]));
      return client;
    },
  };
  const ports: Ports = {
    sessionByHost: (name) => Promise.resolve(name === host ? session : undefined),
    redeem: () => Promise.resolve({ ok: false, reason: 'unknown' }),
    admit: ({ secret }) => Promise.resolve(made.admits && secret === entrySecret ? visitor : undefined),
    dial: () => (made.reachable ? { agent, secret: 'app-secret', kind } : undefined),
    cleared: () => undefined,
    entered: () => undefined,
    person: (_visitor, id) => void made.persons.push(id),
    onEnded: (tell) => {
      listeners.add(tell);
      return { close: () => void listeners.delete(tell) };
    },
  };
  const gateway = new Gateway({
    ports,
    portal: `http://localhost:${port}`,
    originOf: (name) => `http://${name}:${port}`,
    cookies: makeCookieJar(new URL(`http://localhost:${port}`)),
    clock,
    log: makeLog('silent'),
    addressOf: () => '192.0.2.7',
  });
  const nameOf = (request: http.IncomingMessage): string => (request.headers.host ?? '').replace(/:\d+$/, '');
  server.on('request', (request, response) => void gateway.request(request, response, nameOf(request)));
  server.on(
    'upgrade',
    guardUpgrade((request, socket, head) => gateway.upgrade(request, socket, head, nameOf(request))),
  );
  return Object.assign(made, {
    gateway,
    close: async () => {
      gateway.close();
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await app.close();
    },
  });
}
