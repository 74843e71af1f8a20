// One connection of an agent: HELLO both ways, liveness, and the multiplexer above it.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { AgentCtrl, AgentHello, limits, subprotocol, type GatewayCtrl } from '../../contract/tunnel.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { decode, encode, parsePayload, TunnelProtocolError } from './codec.ts';
import { TunnelAgent } from './dial.ts';
import { Mux, type MuxOptions } from './mux.ts';

const acceptor = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: limits.messageBytes,
  handleProtocols: () => subprotocol,
});
acceptor.on('headers', (headers) => headers.push('X-Jtun-New: 1'));

export interface LinkEvents {
  up(hello: AgentHello): void;
  ctrl(message: AgentCtrl): void;
  down(reason: string): void;
}

export interface LinkOptions {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  clock: Clock;
  log: Log;
  events: LinkEvents;
  meter?: MuxOptions['meter'];
}

export class Link {
  readonly #websocket: WebSocket;
  readonly #options: LinkOptions;
  #mux: Mux | undefined;
  #hello: AgentHello | undefined;
  #agent: TunnelAgent | undefined;
  #down = false;
  #silence: { close(): void };

  /** Completes the websocket handshake; the credential has been checked before. */
  static accept(options: LinkOptions, made: (link: Link) => void): void {
    acceptor.handleUpgrade(options.request, options.socket, options.head, (websocket) => {
      const link = new Link(websocket, options);
      made(link);
    });
  }

  private constructor(websocket: WebSocket, options: LinkOptions) {
    this.#websocket = websocket;
    this.#options = options;
    websocket.binaryType = 'nodebuffer';
    const { clock } = options;
    this.#silence = clock.after(limits.handshakeSeconds * 1000, () => this.close(1002, 'no HELLO'));
    websocket.on('message', (data, isBinary) => this.#message(data as Buffer, isBinary));
    websocket.on('close', (code, reason) => this.#gone(`closed ${code} ${reason.toString('utf8')}`.trim()));
    websocket.on('error', (error) => {
      this.#gone(error.message);
      websocket.terminate();
    });
    const hello = { v: 1, window: limits.initialWindowBytes, maxStreams: limits.streamsPerTunnel };
    websocket.send(encode('HELLO', 0, Buffer.from(JSON.stringify(hello))));
  }

  get hello(): AgentHello | undefined {
    return this.#hello;
  }
  get agent(): TunnelAgent | undefined {
    return this.#agent;
  }
  get streams(): number {
    return this.#mux?.size ?? 0;
  }

  send(message: GatewayCtrl): boolean {
    return this.#mux?.ctrl(message) ?? false;
  }

  goaway(reason: number, text: string): void {
    this.#mux?.goaway(reason, text);
  }

  close(code: number, reason: string): void {
    this.#gone(reason);
    this.#websocket.close(code, reason.slice(0, 100));
    this.#options.clock.after(2000, () => this.#websocket.terminate());
  }

  #message(data: Buffer, isBinary: boolean): void {
    if (this.#down) return;
    try {
      if (!isBinary) throw new TunnelProtocolError('a text message');
      this.#heard();
      if (this.#mux) this.#mux.receive(data);
      else this.#first(data);
    } catch (error) {
      if (!(error instanceof TunnelProtocolError)) throw error;
      this.#options.log.warn({ reason: error.message }, 'tunnel protocol violated');
      this.close(1002, error.message);
    }
  }

  /** The first frame of a connection is the agent's HELLO. */
  #first(data: Buffer): void {
    const frame = decode(data);
    if (frame.type !== 'HELLO') throw new TunnelProtocolError(`${frame.type} before HELLO`);
    const hello = AgentHello.safeParse(parsePayload(frame.payload, 'HELLO'));
    if (!hello.success)
      throw new TunnelProtocolError(
        `HELLO: ${hello.error.issues[0]?.path.join('.') ?? ''} ${hello.error.issues[0]?.message ?? ''}`,
      );
    this.#hello = hello.data;
    const { clock, events, meter } = this.#options;
    const mux = new Mux({
      carrier: {
        send: (message, sent) => this.#websocket.send(message, { binary: true }, sent),
        buffered: () => this.#websocket.bufferedAmount,
      },
      clock,
      role: 'gateway',
      peerWindow: hello.data.window,
      peerStreams: Math.min(hello.data.maxStreams, limits.streamsPerTunnel),
      onCtrl: (message) => {
        const parsed = AgentCtrl.safeParse(message);
        if (parsed.success) events.ctrl(parsed.data);
      },
      ...(meter ? { meter } : {}),
    });
    mux.received = 1;
    this.#mux = mux;
    this.#agent = new TunnelAgent(() => mux.open('app'));
    events.up(hello.data);
  }

  #heard(): void {
    this.#silence.close();
    this.#silence = this.#options.clock.after(limits.silenceSeconds * 1000, () => {
      this.#gone('silent');
      this.#websocket.terminate();
    });
  }

  #gone(reason: string): void {
    if (this.#down) return;
    this.#down = true;
    this.#silence.close();
    this.#mux?.close();
    this.#agent?.destroy();
    this.#options.events.down(reason);
  }
}
