// One stream of a tunnel as a Duplex that node:http takes for a socket. Credit both ways; END is a half-close.
import { Duplex } from 'node:stream';
import { resetCode } from '../../contract/tunnel.ts';

const errnoOf: Record<number, string> = {
  [resetCode.refused]: 'ECONNREFUSED',
  [resetCode.timeout]: 'ETIMEDOUT',
  [resetCode.reset]: 'ECONNRESET',
  [resetCode.forbidden]: 'EACCES',
  [resetCode.tooMany]: 'EAGAIN',
  [resetCode.protocol]: 'EPROTO',
};

/** @returns an error whose `code` is the errno that a socket would have given */
export function resetError(code: number): NodeJS.ErrnoException {
  const errno = errnoOf[code] ?? 'ECONNRESET';
  return Object.assign(new Error(`tunnel stream reset: ${errno}`), { code: errno });
}

/** What a stream needs from its multiplexer. */
export interface StreamHost {
  /** The stream has something to send (data, or its end). */
  ready(stream: TunnelStream): void;
  /** How much further credit the peer may get now, given what it still has; 0 = none. */
  credit(stream: TunnelStream, outstanding: number): number;
  sendReset(stream: TunnelStream, code: number): void;
  sendWindow(stream: TunnelStream, bytes: number): void;
  gone(stream: TunnelStream): void;
}

export class TunnelStream extends Duplex {
  readonly id: number;
  readonly #host: StreamHost;
  /** Bytes that we may still send. */
  sendCredit: number;
  /** Bytes that the peer may still send. */
  receiveCredit: number;
  #consumed = 0;
  #chunk: Buffer | undefined;
  #offset = 0;
  #written: ((error?: Error | null) => void) | undefined;
  #finished: ((error?: Error | null) => void) | undefined;
  #peerEnded = false;
  #weEnded = false;
  #timer: NodeJS.Timeout | undefined;
  bytesRead = 0;
  bytesWritten = 0;
  readonly connecting = false;
  readonly remoteAddress = 'tunnel';

  constructor(id: number, host: StreamHost, sendCredit: number, receiveCredit: number) {
    super({ highWaterMark: 65_536, allowHalfOpen: true });
    this.id = id;
    this.#host = host;
    this.sendCredit = sendCredit;
    this.receiveCredit = receiveCredit;
  }

  // ---- called by the multiplexer

  /** @returns false when the peer sent more than its credit */
  receive(data: Buffer): boolean {
    if (this.#peerEnded || data.length > this.receiveCredit) return false;
    this.receiveCredit -= data.length;
    this.bytesRead += data.length;
    this.#consumed += data.length;
    if (this.push(data)) this.#grant();
    return true;
  }

  /** @returns false when the peer had ended already */
  receiveEnd(): boolean {
    if (this.#peerEnded) return false;
    this.#peerEnded = true;
    this.push(null);
    this.emit('peerEnded');
    return true;
  }

  receiveReset(code: number): void {
    this.#peerEnded = true;
    this.#weEnded = true;
    this.destroy(resetError(code));
  }

  /** @returns the next piece to send, at most `most` bytes and never more than the credit; undefined = nothing can go now */
  nextPiece(most: number): Buffer | undefined {
    if (!this.#chunk || this.sendCredit <= 0) return undefined;
    const length = Math.min(this.#chunk.length - this.#offset, this.sendCredit, most);
    const piece = this.#chunk.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    this.sendCredit -= length;
    this.bytesWritten += length;
    if (this.#offset === this.#chunk.length) {
      this.#chunk = undefined;
      const written = this.#written;
      this.#written = undefined;
      written?.();
    }
    return piece;
  }

  /** @returns whether everything is sent and the end has to go out now (told once) */
  nextEnd(): boolean {
    if (this.#chunk || !this.#finished || this.#weEnded) return false;
    this.#weEnded = true;
    const finished = this.#finished;
    this.#finished = undefined;
    finished();
    return true;
  }

  get hasMore(): boolean {
    return !this.destroyed && this.#chunk !== undefined && this.sendCredit > 0;
  }

  // ---- Duplex

  override _read(): void {
    this.#grant();
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    if (chunk.length === 0) return callback();
    this.#chunk = chunk;
    this.#offset = 0;
    this.#written = callback;
    this.#host.ready(this);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#finished = callback;
    this.#host.ready(this);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    if (!this.#peerEnded || !this.#weEnded) this.#host.sendReset(this, resetCode.reset);
    this.#host.gone(this);
    this.#chunk = undefined;
    const waiting = this.#written;
    this.#written = undefined;
    waiting?.(error ?? resetError(resetCode.reset));
    callback(error);
  }

  #grant(): void {
    if (this.#peerEnded || this.#consumed === 0) return;
    const bytes = this.#host.credit(this, this.receiveCredit);
    if (bytes <= 0) return;
    this.#consumed = 0;
    this.receiveCredit += bytes;
    this.#host.sendWindow(this, bytes);
  }

  // ---- what node:http expects of a socket

  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  setTimeout(milliseconds: number, call?: () => void): this {
    clearTimeout(this.#timer);
    if (call) this.once('timeout', call);
    if (milliseconds > 0) {
      this.#timer = setTimeout(() => this.emit('timeout'), milliseconds);
      this.#timer.unref();
    }
    return this;
  }
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }
}
