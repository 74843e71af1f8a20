// Multiplexers without a network: one whose frames a test plays and reads, or two that talk to each other.
import type { Clock } from '../../server/lib/clock.ts';
import { decode, encode, encodeNumber, type Frame, type FrameName } from '../../server/tunnel/codec.ts';
import { Mux, type MuxOptions } from '../../server/tunnel/mux.ts';
import type { TunnelStream } from '../../server/tunnel/stream.ts';
import { handClock, type HandClock } from './tunnel-clock.ts';

export interface MuxProbe {
  mux: Mux;
  clock: HandClock;
  /** What the multiplexer sent, oldest first. */
  sent: Frame[];
  /** What its connection has not yet taken; a test sets it, sends are not added. */
  buffered: number;
  /** Tells the multiplexer that the connection has taken something. */
  drained(): void;
  /** Streams that the peer opened (role agent). */
  opened: { target: string; stream: TunnelStream }[];
  ctrl: unknown[];
  goaways: [reason: number, text: string][];
  meter: { in: number; out: number; resets: number[] };
  receive(type: FrameName, stream?: number, payload?: Buffer | string): void;
  receiveNumber(type: 'WINDOW' | 'RESET' | 'ACK', stream: number, value: number): void;
  of(type: FrameName, stream?: number): Buffer[];
  numbers(type: 'WINDOW' | 'RESET' | 'ACK', stream?: number): number[];
  data(stream: number): Buffer;
}

/** A multiplexer whose peer is the test. */
export function muxProbe(role: MuxOptions['role'], options: Partial<MuxOptions> = {}): MuxProbe {
  const clock = handClock();
  const waiting: (() => void)[] = [];
  const probe: MuxProbe = {
    clock,
    sent: [],
    buffered: 0,
    drained: () => waiting.splice(0).forEach((tell) => tell()),
    opened: [],
    ctrl: [],
    goaways: [],
    meter: { in: 0, out: 0, resets: [] },
    receive: (type, stream = 0, payload = '') => probe.mux.receive(encode(type, stream, Buffer.from(payload))),
    receiveNumber: (type, stream, value) => probe.mux.receive(encodeNumber(type, stream, value)),
    of: (type, stream) =>
      probe.sent
        .filter((frame) => frame.type === type && (stream === undefined || frame.stream === stream))
        .map((frame) => frame.payload),
    numbers: (type, stream) => probe.of(type, stream).map((payload) => payload.readUInt32BE(0)),
    data: (stream) => Buffer.concat(probe.of('DATA', stream)),
    mux: new Mux({
      carrier: {
        send: (message, sent) => {
          probe.sent.push(decode(message));
          waiting.push(sent);
        },
        buffered: () => probe.buffered,
      },
      clock,
      role,
      peerWindow: 262_144,
      peerStreams: 1024,
      onCtrl: (message) => probe.ctrl.push(message),
      onGoaway: (reason, text) => probe.goaways.push([reason, text]),
      onOpen: (target, stream) => probe.opened.push({ target, stream }),
      meter: {
        bytes: (direction, count) => (probe.meter[direction] += count),
        reset: (code) => probe.meter.resets.push(code),
      },
      ...options,
    }),
  };
  return probe;
}

export interface MuxPair {
  gateway: Mux;
  agent: Mux;
  /** Bytes of DATA on the way and delivered, by direction; and RESET frames. */
  carried: { toAgent: number; toGateway: number; resets: number };
  close(): void;
}

/** Two multiplexers that talk to each other; each message arrives in a turn of its own, as from a socket. */
export function muxPair(clock: Clock, onOpen: (target: string, stream: TunnelStream) => void): MuxPair {
  const carried = { toAgent: 0, toGateway: 0, resets: 0 };
  const end = (role: MuxOptions['role'], direction: 'toAgent' | 'toGateway', peer: () => Mux): Mux => {
    let underWay = 0;
    return new Mux({
      carrier: {
        send: (message, sent) => {
          underWay += message.length;
          const { type, payload } = decode(message);
          if (type === 'DATA') carried[direction] += payload.length;
          if (type === 'RESET') carried.resets += 1;
          setImmediate(() => {
            underWay -= message.length;
            peer().receive(message);
            sent();
          });
        },
        buffered: () => underWay,
      },
      clock,
      role,
      peerWindow: 262_144,
      peerStreams: 1024,
      ...(role === 'agent' ? { onOpen } : {}),
    });
  };
  const gateway: Mux = end('gateway', 'toAgent', () => agent);
  const agent: Mux = end('agent', 'toGateway', () => gateway);
  return {
    gateway,
    agent,
    carried,
    close: () => {
      gateway.close();
      agent.close();
    },
  };
}

/** All that comes until the peer's end; unlike an async iterator it leaves the stream open for writing. */
export function readAll(stream: TunnelStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.once('end', () => resolve(Buffer.concat(parts)));
    stream.once('error', reject);
  });
}
