// Session hosts: guard, entry, and the way through the tunnel. The same steps for requests and upgrades.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { PortalError } from '../../contract/errors.ts';
import type { CookieJar } from '../http/cookies.ts';
import { isSafeMethod } from '../http/origin.ts';
import { isNavigation, toPortalError } from '../http/problem.ts';
import { pathOf } from '../http/request-log.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { againPath, cleanPath, EntryFlow, redirect } from './entry.ts';
import { makeEngine } from './forward.ts';
import { guardRequest } from './guard.ts';
import { prepareHeaders } from './headers.ts';
import { answerOwn } from './own.ts';
import { makePages, stateRefusal } from './pages.ts';
import type { Dial, HostedSession, Ports, Visitor } from './ports.ts';
import { closeWebsocket, OpenRegistry } from './open.ts';

export interface GatewayOptions {
  ports: Ports;
  /** Origin of the portal. */
  portal: string;
  originOf: (host: string) => string;
  cookies: CookieJar;
  clock: Clock;
  log: Log;
  addressOf: (request: IncomingMessage) => string;
}

/** jupyter-collaboration writes 1 s after the last change, also when nobody is there any more; twice that, to be sure. */
const saveMs = 2000;

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #engine = makeEngine();
  readonly #entry: EntryFlow;
  readonly #pages;
  readonly #open = new OpenRegistry();
  readonly #closed = new Set<string>();
  /** When a websocket of a session ended last, epoch milliseconds. */
  readonly #lastWebsocket = new Map<string, number>();
  readonly #cookieNames: ReadonlySet<string>;
  readonly #ended: { close(): void };

  constructor(options: GatewayOptions) {
    this.#options = options;
    const { cookies, portal, log } = options;
    this.#entry = new EntryFlow({ ...options, plainAllowed: portal.startsWith('http:') });
    this.#pages = makePages(portal, log);
    this.#cookieNames = new Set(
      (['ls', 'ls-state', 'ls-login', 'ls-pending'] as const).flatMap((name) => cookies.wireNames(name)),
    );
    this.#ended = options.ports.onEnded((what) => {
      if ('sessionId' in what) this.#open.endAll(what, 4410, 'the session has ended');
      else this.#open.endAll(what, 4403, 'your right to this session has ended');
    });
  }

  /** A request to a session host. Never throws. */
  async request(request: IncomingMessage, response: ServerResponse, host: string): Promise<void> {
    try {
      await this.#request(request, response, host);
    } catch (error) {
      this.#pages.refuse(request, response, toPortalError(error));
    }
  }

  /** An upgrade on a session host. Throws PortalError; the socket guard answers. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, host: string): Promise<void> {
    const { session, visitor } = await this.#admit(request, host, true);
    if (!visitor) throw new PortalError('entry-required');
    const dial = this.#ready(session);
    if (!dial) throw stateRefusal(session);
    if (dial.kind === 'argv') this.#options.ports.person(visitor, session.id);
    const secret = this.#options.cookies.read(request, 'ls') ?? ''; // gone after the next line
    this.#identify(request, session, visitor, dial, true);
    const target = { agent: dial.agent, origin: this.#options.originOf(host) };
    const held = { sessionId: session.id, visitor, kind: 'websocket' } as const;
    const forget = this.#open.hold({ ...held, end: () => socket.destroy() });
    socket.once('close', forget);
    this.#engine.upgrade(request, socket, head, target, (app) => {
      forget();
      const closed = this.#open.hold({ ...held, end: (code, reason) => closeWebsocket(socket, app, code, reason) });
      const ended = (): void => {
        closed();
        this.#lastWebsocket.set(session.id, this.#options.clock.now());
      };
      for (const end of [socket, app]) end.once('close', ended);
      // The right may have ended while the app took its time.
      this.#options.ports.admit({ secret, sessionId: session.id }).then(
        (still) => still ?? closeWebsocket(socket, app, 4403, 'your right to this session has ended'),
        () => closeWebsocket(socket, app, 1011, 'something failed on our side'),
      );
    });
  }

  /** Refuses new requests of a session and closes its websockets politely; tells whether documents may still have to be saved. */
  closeSession(sessionId: string): { hadWebsockets: boolean } {
    this.#closed.add(sessionId);
    const ended = this.#open.endAll({ sessionId }, 1001, 'the session is stopping', 'websocket');
    // A page that was closed a moment ago may have left an edit that is not written yet.
    const last = this.#lastWebsocket.get(sessionId) ?? Number.NEGATIVE_INFINITY;
    return { hadWebsockets: ended > 0 || this.#options.clock.now() - last < saveMs };
  }

  /** The session has ended for good; nothing about it has to be remembered. */
  forgetSession(sessionId: string): void {
    this.#open.endAll({ sessionId }, 4410, 'the session has ended');
    this.#closed.delete(sessionId);
    this.#lastWebsocket.delete(sessionId);
  }

  /** Websockets, upgrades and requests that are under way. */
  stats(): { open: number } {
    return { open: this.#open.size };
  }

  close(): void {
    this.#ended.close();
  }

  async #request(request: IncomingMessage, response: ServerResponse, host: string): Promise<void> {
    const { ports, clock, originOf } = this.#options;
    const { session, visitor } = await this.#admit(request, host, false);
    const path = pathOf(request);
    if (path === '/.linkspan/enter') return await this.#entry.finish(request, response, session, visitor !== undefined);
    if (!visitor) {
      if (!isNavigation(request)) throw new PortalError('entry-required');
      return this.#entry.begin(request, response, session, request.url ?? '/');
    }
    if (path === againPath) return redirect(response, cleanPath(request.url));
    if (path.startsWith('/.linkspan/') || path === '/.linkspan')
      return answerOwn(path, request, response, session, visitor, ports, clock);
    const dial = this.#ready(session);
    if (!dial) return this.#pages.state(request, response, session);
    if (isNavigation(request) || (dial.kind === 'argv' && !isSafeMethod(request.method)))
      ports.person(visitor, session.id);
    this.#identify(request, session, visitor, dial, false);
    const forget = this.#open.hold({ sessionId: session.id, visitor, kind: 'request', end: () => response.destroy() });
    response.once('close', forget);
    this.#engine.web(request, response, { agent: dial.agent, origin: originOf(host) }, (error) => {
      if (response.headersSent || response.destroyed) return void response.destroy();
      this.#pages.refuse(request, response, error);
    });
  }

  /** Guard, session, and the visitor behind the entry cookie. */
  async #admit(
    request: IncomingMessage,
    host: string,
    isUpgrade: boolean,
  ): Promise<{ session: HostedSession; visitor: Visitor | undefined }> {
    const { ports, cookies, originOf } = this.#options;
    guardRequest(request, originOf(host), isUpgrade);
    const session = await ports.sessionByHost(host);
    if (!session) throw new PortalError('session-not-found', { message: 'There is no session at this address.' });
    const value = cookies.read(request, 'ls');
    return {
      session,
      visitor: value === undefined ? undefined : await ports.admit({ secret: value, sessionId: session.id }),
    };
  }

  #ready(session: HostedSession): Dial | undefined {
    if (this.#closed.has(session.id) || session.state !== 'ready') return undefined;
    return this.#options.ports.dial(session.id);
  }

  #identify(request: IncomingMessage, session: HostedSession, visitor: Visitor, dial: Dial, isUpgrade: boolean): void {
    const { addressOf, originOf } = this.#options;
    const origin = new URL(originOf(session.host));
    const scheme = origin.protocol === 'https:' ? 'https' : 'http';
    prepareHeaders(
      request,
      { visitor, secret: dial.secret, address: addressOf(request), scheme, host: origin.host },
      this.#cookieNames,
      isUpgrade,
    );
  }
}
