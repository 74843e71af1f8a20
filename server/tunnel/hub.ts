// All tunnels of this gateway: enrolment, handshake, and the way to each session's application.
import type { Agent, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { PortalError } from '../../contract/errors.ts';
import {
  subprotocol,
  type AgentCtrl,
  type AgentHello,
  type EnrolAnswer,
  type GatewayCtrl,
} from '../../contract/tunnel.ts';
import { sendProblem } from '../http/problem.ts';
import type { Clock } from '../lib/clock.ts';
import { sha256 } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import { readEnrolment, sendEnrolAnswer } from './enrol.ts';
import { Link } from './link.ts';
import type { MuxOptions } from './mux.ts';

export interface Credentials {
  /** Uses a one-time token. The same keyHash again gets the same answer. Throws PortalError. */
  enrol(token: string, keyHash: string): Promise<EnrolAnswer>;
  /** Whose key this is; 'ended' for keys of sessions that are over. */
  find(keyHash: string): Promise<{ session: string; epoch: number } | 'ended' | undefined>;
}

export interface HubEvents {
  up(sessionId: string, hello: AgentHello): void;
  down(sessionId: string, reason: string): void;
  ctrl(sessionId: string, message: AgentCtrl): void;
}

export interface HubOptions {
  credentials: Credentials;
  on: HubEvents;
  clock: Clock;
  log: Log;
  addressOf: (request: IncomingMessage) => string;
  meter?: MuxOptions['meter'];
}

export class Hub {
  readonly #options: HubOptions;
  readonly #links = new Map<string, Link>();
  readonly #failures = new RateLimiterMemory({ points: 30, duration: 60 });

  constructor(options: HubOptions) {
    this.#options = options;
  }

  /** POST /tunnel/v1/enrol */
  async enrol(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { token, keyHash } = await readEnrolment(request);
      sendEnrolAnswer(response, await this.#slowing(request, () => this.#options.credentials.enrol(token, keyHash)));
    } catch (error) {
      sendProblem(response, error, this.#options.log);
    }
  }

  /** GET /tunnel/v1 with the connection key. Throws PortalError before the handshake; the socket guard answers it. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const key = /^Bearer ([\w-]{32,128})$/.exec(request.headers.authorization ?? '')?.[1];
    const epoch = Number(request.headers['x-jtun-epoch']);
    const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (key === undefined || !Number.isInteger(epoch) || epoch < 1 || !protocols.includes(subprotocol)) {
      throw new PortalError('tunnel-protocol', { detail: { epoch: request.headers['x-jtun-epoch'], protocols } });
    }
    const owner = await this.#slowing(request, async () => {
      const found = await this.#options.credentials.find(sha256(key));
      if (found === undefined) throw new PortalError('tunnel-key-unknown');
      return found;
    });
    if (owner === 'ended') throw new PortalError('session-ended');
    if (epoch < owner.epoch)
      throw new PortalError('epoch-superseded', { detail: { session: owner.session, epoch, highest: owner.epoch } });
    // No agent knows an epoch that was never given out; taking it would lock out the right one.
    if (epoch > owner.epoch)
      throw new PortalError('tunnel-protocol', { detail: { session: owner.session, epoch, highest: owner.epoch } });
    this.#accept(owner.session, request, socket, head);
  }

  /** The way to a session's application, while its tunnel is up. */
  dial(sessionId: string): { agent: Agent; secret: string; kind: 'jupyterlab' | 'argv' } | undefined {
    const link = this.#links.get(sessionId);
    if (!link?.agent || !link.hello) return undefined;
    return { agent: link.agent, secret: link.hello.app.secret, kind: link.hello.app.kind };
  }

  /** @returns false when there is no tunnel to tell it through */
  send(sessionId: string, message: GatewayCtrl): boolean {
    return this.#links.get(sessionId)?.send(message) ?? false;
  }

  /** Cuts the tunnel of a session that is over. */
  drop(sessionId: string, reason: string): void {
    this.#links.get(sessionId)?.close(1000, reason);
  }

  stats(): { tunnels: number; streams: number } {
    let streams = 0;
    for (const link of this.#links.values()) streams += link.streams;
    return { tunnels: this.#links.size, streams };
  }

  /** Asks all agents to dial anew (another gateway takes over), then cuts. */
  close(): void {
    for (const link of this.#links.values()) link.goaway(1, 'the gateway is going away');
    for (const link of this.#links.values()) link.close(1001, 'the gateway is going away');
  }

  #accept(session: string, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { clock, log, on, meter } = this.#options;
    let mine: Link | undefined;
    Link.accept(
      {
        request,
        socket,
        head,
        clock,
        log: log.child({ session }),
        ...(meter ? { meter } : {}),
        events: {
          up: (hello) => on.up(session, hello),
          ctrl: (message) => on.ctrl(session, message),
          down: (reason) => {
            // A connection that was replaced says nothing any more.
            if (this.#links.get(session) !== mine) return;
            this.#links.delete(session);
            on.down(session, reason);
          },
        },
      },
      (link) => {
        mine = link;
        const before = this.#links.get(session);
        this.#links.set(session, link);
        before?.close(1001, 'replaced by a newer connection');
      },
    );
  }

  /** Only failures count: many agents may share one address, and none must be able to lock out the others. */
  async #slowing<T>(request: IncomingMessage, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof PortalError) || error.status !== 401) throw error;
      const over = await this.#failures.consume(this.#options.addressOf(request)).then(
        () => false,
        () => true,
      );
      throw over ? new PortalError('rate-limited', { retryAfterSeconds: 30 }) : error;
    }
  }
}
