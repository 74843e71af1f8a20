// The far end of a tunnel in a test's hands: enrols, dials, says HELLO, and then whatever the test wants.
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, Server } from 'node:http';
import { WebSocket } from 'ws';
import type { Problem } from '../../contract/errors.ts';
import { enrolPath, subprotocol, tunnelPath } from '../../contract/tunnel.ts';
import { systemClock } from '../../server/lib/clock.ts';
import { decode, encode, type Frame, type FrameName } from '../../server/tunnel/codec.ts';
import { Mux } from '../../server/tunnel/mux.ts';
import { send, type Answer } from './http.ts';
import { until } from './until.ts';

export const agentHello = {
  v: 1,
  window: 262_144,
  maxStreams: 1024,
  agent: { version: '0.1.0', python: '3.11.7', host: 'node17', pid: 4242 },
  app: { kind: 'jupyterlab', secret: 's'.repeat(43) },
};
export const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');

/** POST to the enrolment address; a string goes out as it is. */
export function enrol(port: number, body: Record<string, unknown> | string, method = 'POST'): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return send(port, method, new URL(`http://localhost:${port}${enrolPath}`), { host: `localhost:${port}` }, text);
}

export interface Refusal {
  status: number;
  headers: IncomingHttpHeaders;
  code: Problem['code'];
}

export interface Dial {
  key?: string;
  /** X-Jtun-Epoch; null = none. */
  epoch?: string | null;
  protocols?: string[];
  headers?: Record<string, string>;
}

export class AgentEnd {
  readonly websocket: WebSocket;
  /** Headers of the 101. */
  readonly headers: IncomingHttpHeaders;
  readonly frames: Frame[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #mux: Mux | undefined;

  constructor(websocket: WebSocket, headers: IncomingHttpHeaders) {
    this.websocket = websocket;
    this.headers = headers;
    websocket.on('error', () => undefined);
    websocket.on('message', (data: Buffer) => {
      const frame = decode(data);
      this.frames.push(frame);
      if (frame.type !== 'HELLO') this.#mux?.receive(data);
    });
    this.closed = new Promise((resolve) => {
      websocket.once('close', (code, reason) => {
        this.#mux?.close();
        resolve({ code, reason: reason.toString() });
      });
    });
  }

  get isOpen(): boolean {
    return this.websocket.readyState === WebSocket.OPEN;
  }
  send(type: FrameName, stream = 0, payload: Buffer | string = ''): void {
    this.websocket.send(encode(type, stream, Buffer.from(payload)));
  }
  hello(over: Record<string, unknown> = {}): void {
    this.send('HELLO', 0, JSON.stringify({ ...agentHello, ...over }));
  }
  say(message: Record<string, unknown>): void {
    this.send('CTRL', 0, JSON.stringify(message));
  }
  of(type: FrameName): Buffer[] {
    return this.frames.filter((frame) => frame.type === type).map((frame) => frame.payload);
  }
  heard(): unknown[] {
    return this.of('CTRL').map((payload) => JSON.parse(payload.toString()) as unknown);
  }
  /** Resolves when the gateway has read all that was sent before: it answers a PING. */
  async settled(): Promise<void> {
    const before = this.of('PONG').length;
    this.send('PING', 0, Buffer.alloc(8));
    await until(() => this.of('PONG').length > before, 'PONG');
  }
  /** Streams lead to this server from now on. */
  serve(server: Server): void {
    this.#mux = new Mux({
      carrier: { send: (message, sent) => this.websocket.send(message, sent), buffered: () => 0 },
      clock: systemClock,
      role: 'agent',
      peerWindow: 262_144,
      peerStreams: 1024,
      onOpen: (_target, stream) => void server.emit('connection', stream),
    });
  }
  close(): void {
    this.websocket.terminate();
  }
}

/** GET of the tunnel address: an open connection without HELLO, or the refusal. */
export function dialTunnel(port: number, { key, epoch = '1', protocols, headers }: Dial): Promise<AgentEnd | Refusal> {
  return new Promise((resolve, reject) => {
    const websocket = new WebSocket(`ws://127.0.0.1:${port}${tunnelPath}`, protocols ?? [subprotocol], {
      perMessageDeflate: false,
      headers: {
        host: `localhost:${port}`,
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(epoch === null ? {} : { 'x-jtun-epoch': epoch }),
        ...headers,
      },
    });
    // Made before the first message can come: HELLO may follow the 101 in one packet.
    websocket.once('upgrade', (response) => {
      const end = new AgentEnd(websocket, response.headers);
      websocket.once('open', () => resolve(end));
    });
    websocket.once('unexpected-response', (request, response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => {
        const { code } = JSON.parse(text) as Problem;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, code });
        request.destroy();
      });
    });
    websocket.once('error', reject);
  });
}

/** A tunnel that must come up. */
export async function openTunnel(port: number, dial: Dial): Promise<AgentEnd> {
  const end = await dialTunnel(port, dial);
  if (!(end instanceof AgentEnd)) throw new Error(`refused: ${end.status} ${end.code}`);
  return end;
}

/** A refusal that must come: status and code. */
export async function refusedTunnel(port: number, dial: Dial): Promise<[number, string]> {
  const end = await dialTunnel(port, dial);
  if (!(end instanceof AgentEnd)) return [end.status, end.code];
  end.close();
  throw new Error('not refused');
}
