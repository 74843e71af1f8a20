// Streams over one message carrier: per-stream credit, round robin, receipt ACKs, PING, GOAWAY, RESET codes, CTRL.
// Delay-controlled window and resume will use the ACK counts; this end already sends and keeps them.
import { frameType, limits, resetCode } from '../../contract/tunnel.ts';
import type { Clock } from '../lib/clock.ts';
import { decode, encode, encodeNumber, parsePayload, TunnelProtocolError, type Frame } from './codec.ts';
import { resetError, TunnelStream, type StreamHost } from './stream.ts';

/** What a multiplexer needs from the connection below it. */
export interface Carrier {
  send(message: Buffer, sent: () => void): void;
  /** Bytes handed over but not yet on the wire. */
  buffered(): number;
}

export interface MuxOptions {
  carrier: Carrier;
  clock: Clock;
  /** The gateway opens streams (odd ids); the agent accepts them. */
  role: 'gateway' | 'agent';
  /** Initial credit that the peer gave in its HELLO, bytes. */
  peerWindow: number;
  /** Streams that the peer takes at most. */
  peerStreams: number;
  onCtrl?: (message: unknown) => void;
  onGoaway?: (reason: number, text: string) => void;
  /** role agent: a stream was opened; call `accept` or `refuse`. */
  onOpen?: (target: string, stream: TunnelStream) => void;
  meter?: { bytes(direction: 'in' | 'out', count: number): void; reset(code: number): void };
}

const uncounted = new Set<number>([frameType.ACK, frameType.PING, frameType.PONG]);

export class Mux {
  readonly #options: MuxOptions;
  readonly #streams = new Map<number, TunnelStream>();
  #ring: TunnelStream[] = [];
  readonly #queued = new Set<TunnelStream>();
  #nextId = 1;
  #highestSeen = 0;
  #closed = false;
  #draining = false;
  #pumping = false;
  #waiting = false;
  /** Counted frames, mod 2^32. */
  received = 0;
  sent = 0;
  acked = 0;
  #ackedFrames = 0;
  #ackedBytes = 0;
  #ackTimer: { close(): void } | undefined;
  readonly #host: StreamHost;

  constructor(options: MuxOptions) {
    this.#options = options;
    this.#host = {
      ready: (stream) => this.#ready(stream),
      credit: (stream, outstanding) => this.#credit(stream, outstanding),
      sendWindow: (stream, bytes) => this.#send(encodeNumber('WINDOW', stream.id, bytes)),
      sendReset: (stream, code) => {
        if (this.#has(stream)) this.#send(encodeNumber('RESET', stream.id, code));
      },
      gone: (stream) => this.#remove(stream),
    };
  }

  get size(): number {
    return this.#streams.size;
  }
  get draining(): boolean {
    return this.#draining;
  }

  /** Opens a stream to a named target of the peer; data may follow at once. A stream that cannot be opened is destroyed with an errno. */
  open(target: string): TunnelStream {
    const id = this.#nextId;
    const stream = new TunnelStream(id, this.#host, this.#options.peerWindow, limits.initialWindowBytes);
    const code =
      this.#closed || this.#draining
        ? resetCode.refused
        : this.#streams.size >= this.#options.peerStreams
          ? resetCode.tooMany
          : undefined;
    if (code !== undefined) {
      queueMicrotask(() => stream.destroy(resetError(code)));
      return stream;
    }
    this.#nextId += 2;
    this.#add(stream);
    this.#send(encode('OPEN', id, Buffer.from(target)));
    return stream;
  }

  /** @returns false when the message is larger than a CTRL frame may be */
  ctrl(message: unknown): boolean {
    const payload = Buffer.from(JSON.stringify(message));
    if (payload.length > limits.ctrlBytes || this.#closed) return false;
    this.#send(encode('CTRL', 0, payload));
    return true;
  }

  ping(payload: Buffer): void {
    this.#send(encode('PING', 0, payload));
  }

  /** Tells the peer that no stream will be opened any more; open ones go on. */
  goaway(reason: number, text: string): void {
    this.#draining = true;
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32BE(reason, 0);
    this.#send(encode('GOAWAY', 0, Buffer.concat([head, Buffer.from(text.slice(0, 200))])));
  }

  /**
   * Takes one message of the peer.
   * @throws TunnelProtocolError: the caller closes the connection with 1002
   */
  receive(message: Buffer): void {
    if (this.#closed) return;
    const frame = decode(message);
    if (!uncounted.has(message[0]!)) this.#count(message.length);
    this.#handle(frame);
  }

  /** Ends all streams with ECONNRESET. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ackTimer?.close();
    for (const stream of this.#streams.values()) stream.receiveReset(resetCode.reset);
    this.#streams.clear();
    this.#ring = [];
    this.#queued.clear();
  }

  #handle({ type, stream: id, payload }: Frame): void {
    switch (type) {
      case 'HELLO':
        throw new TunnelProtocolError('a second HELLO');
      case 'PING':
        return this.#send(encode('PONG', 0, payload));
      case 'PONG':
        return;
      case 'ACK':
        this.acked = payload.readUInt32BE(0);
        return;
      case 'GOAWAY':
        this.#draining = true;
        this.#options.onGoaway?.(payload.readUInt32BE(0), payload.toString('utf8', 4));
        return;
      case 'CTRL':
        return this.#options.onCtrl?.(parsePayload(payload, 'CTRL'));
      case 'OPEN':
        return this.#accept(id, payload.toString('utf8'));
      case 'DATA':
      case 'WINDOW':
      case 'END':
      case 'RESET':
        return this.#ofStream(type, id, payload);
    }
  }

  #ofStream(type: 'DATA' | 'WINDOW' | 'END' | 'RESET', id: number, payload: Buffer): void {
    const stream = this.#streams.get(id);
    if (!stream) {
      // A stream that we have closed a moment ago may still get frames; one that never was may not.
      const known =
        this.#options.role === 'gateway' ? id % 2 === 1 && id < this.#nextId : id % 2 === 1 && id <= this.#highestSeen;
      if (!known) throw new TunnelProtocolError(`${type} for stream ${id}, which was never opened`);
      return;
    }
    if (type === 'DATA') {
      this.#options.meter?.bytes('in', payload.length);
      if (!stream.receive(payload)) this.#violate(stream);
    } else if (type === 'WINDOW') {
      stream.sendCredit += payload.readUInt32BE(0);
      if (stream.sendCredit > 0x7fff_ffff) return this.#violate(stream);
      this.#ready(stream);
    } else if (type === 'END') {
      if (!stream.receiveEnd()) this.#violate(stream);
    } else {
      const code = payload.readUInt32BE(0);
      this.#options.meter?.reset(code);
      this.#remove(stream);
      stream.receiveReset(code);
    }
  }

  /** The peer broke a rule of one stream: only that stream dies. */
  #violate(stream: TunnelStream): void {
    this.#options.meter?.reset(resetCode.protocol);
    this.#send(encodeNumber('RESET', stream.id, resetCode.protocol));
    this.#remove(stream);
    stream.receiveReset(resetCode.protocol);
  }

  #accept(id: number, target: string): void {
    if (this.#options.role === 'gateway' || !this.#options.onOpen)
      throw new TunnelProtocolError('the agent opens no streams');
    if (id % 2 !== 1 || id <= this.#highestSeen) throw new TunnelProtocolError(`OPEN with stream ${id} out of order`);
    this.#highestSeen = id;
    if (this.#streams.size >= limits.streamsPerTunnel || this.#draining) {
      return this.#send(encodeNumber('RESET', id, this.#draining ? resetCode.refused : resetCode.tooMany));
    }
    const stream = new TunnelStream(id, this.#host, this.#options.peerWindow, limits.initialWindowBytes);
    this.#add(stream);
    this.#options.onOpen(target, stream);
  }

  #add(stream: TunnelStream): void {
    this.#streams.set(stream.id, stream);
    stream.on('error', () => undefined);
  }

  #remove(stream: TunnelStream): void {
    if (this.#has(stream)) this.#streams.delete(stream.id);
  }

  /** A stream that was refused has no place here, though another may have its id. */
  #has(stream: TunnelStream): boolean {
    return this.#streams.get(stream.id) === stream;
  }

  /** Up to the full window while few streams are open and the tunnel holds little; the initial window always. */
  #credit(_stream: TunnelStream, outstanding: number): number {
    const full =
      this.#streams.size <= limits.fullWindowStreams && this.#held() <= limits.tunnelBytes - limits.windowBytes;
    const target = full ? limits.windowBytes : limits.initialWindowBytes;
    const bytes = target - outstanding;
    if (bytes < target / 4) return 0;
    return bytes;
  }

  /** What the peer may still send, and what nobody has read yet. */
  #held(): number {
    let bytes = 0;
    for (const stream of this.#streams.values()) bytes += stream.receiveCredit + stream.readableLength;
    return bytes;
  }

  #ready(stream: TunnelStream): void {
    if (!this.#has(stream)) return;
    this.#enqueue(stream);
    this.#pump();
  }

  #enqueue(stream: TunnelStream): void {
    if (this.#queued.has(stream)) return;
    this.#queued.add(stream);
    this.#ring.push(stream);
  }

  #pump(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    const { carrier, meter } = this.#options;
    let stream: TunnelStream | undefined;
    while (carrier.buffered() <= limits.sendBufferBytes && (stream = this.#ring.shift())) {
      this.#queued.delete(stream);
      if (stream.destroyed) continue;
      const piece = stream.nextPiece(limits.quantumBytes);
      if (piece) {
        meter?.bytes('out', piece.length);
        this.#send(encode('DATA', stream.id, piece));
      }
      if (stream.hasMore) this.#enqueue(stream);
      else if (stream.nextEnd()) this.#send(encode('END', stream.id));
    }
    this.#pumping = false;
    this.#waiting = this.#ring.length > 0;
  }

  #send(message: Buffer): void {
    if (this.#closed) return;
    if (!uncounted.has(message[0]!)) this.sent = (this.sent + 1) >>> 0;
    this.#options.carrier.send(message, () => {
      if (this.#waiting) this.#pump();
    });
  }

  #count(bytes: number): void {
    this.received = (this.received + 1) >>> 0;
    this.#ackedFrames += 1;
    this.#ackedBytes += bytes;
    if (this.#ackedFrames >= limits.ackFrames || this.#ackedBytes >= limits.ackBytes) this.#acknowledge();
    else this.#ackTimer ??= this.#options.clock.after(limits.ackDelayMilliseconds, () => this.#acknowledge());
  }

  #acknowledge(): void {
    this.#ackTimer?.close();
    this.#ackTimer = undefined;
    this.#ackedFrames = 0;
    this.#ackedBytes = 0;
    this.#send(encodeNumber('ACK', 0, this.received));
  }
}
