// Open websockets of session hosts: closed politely when a session stops, and when a right ends.
import type { Duplex } from 'node:stream';
import type { Ended, Visitor } from './ports.ts';

export interface OpenWebsocket {
  sessionId: string;
  visitor: Visitor;
  browser: Duplex;
  app: Duplex;
}

export class WebsocketRegistry {
  readonly #open = new Set<OpenWebsocket>();

  /** Ties the two ends and forgets the pair when either closes. */
  add(pair: OpenWebsocket): void {
    this.#open.add(pair);
    const gone = (): void => void this.#open.delete(pair);
    pair.browser.once('close', gone);
    pair.app.once('close', gone);
  }

  get size(): number {
    return this.#open.size;
  }

  countOf(sessionId: string): number {
    let count = 0;
    for (const pair of this.#open) if (pair.sessionId === sessionId) count += 1;
    return count;
  }

  /** @returns how many were closed */
  closeAll(what: Ended, code: number, reason: string): number {
    let count = 0;
    for (const pair of this.#open) {
      if (!matches(pair, what)) continue;
      count += 1;
      closePair(pair, code, reason);
    }
    return count;
  }
}

function matches({ sessionId, visitor }: OpenWebsocket, what: Ended): boolean {
  if ('sessionId' in what) return sessionId === what.sessionId;
  if ('loginId' in what) return visitor.loginId === what.loginId;
  return visitor.entryId === what.entryId;
}

/** A close frame each way (RFC 6455 5.5.1), then the sockets end; a peer that does not leave is cut. */
function closePair({ browser, app }: OpenWebsocket, code: number, reason: string): void {
  browser.unpipe(app);
  app.unpipe(browser);
  if (browser.writable) browser.end(closeFrame(code, reason, false));
  if (app.writable) app.end(closeFrame(1001, '', true));
  browser.resume();
  app.resume();
  setTimeout(() => {
    browser.destroy();
    app.destroy();
  }, 1000).unref();
}

/** @param masked towards a server (with a zero key) */
export function closeFrame(code: number, reason: string, masked: boolean): Buffer {
  const text = Buffer.from(reason).subarray(0, 120);
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 255]), text]);
  const head = Buffer.from([0x88, (masked ? 0x80 : 0) | payload.length]);
  return Buffer.concat(masked ? [head, Buffer.alloc(4), payload] : [head, payload]);
}
