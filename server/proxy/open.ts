// What is open at session hosts: websockets, upgrades under way and requests. Ended when a session stops or a right ends.
import type { Duplex } from 'node:stream';
import type { Ended, Visitor } from './ports.ts';

export interface Open {
  sessionId: string;
  visitor: Visitor;
  /** Requests that are under way may still end by themselves when a session stops. */
  kind: 'websocket' | 'request';
  end(code: number, reason: string): void;
}

export class OpenRegistry {
  readonly #open = new Set<Open>();

  /** @returns forgets it again */
  hold(open: Open): () => void {
    this.#open.add(open);
    return () => void this.#open.delete(open);
  }

  get size(): number {
    return this.#open.size;
  }

  /** @returns how many were ended */
  endAll(what: Ended, code: number, reason: string, kind?: Open['kind']): number {
    let count = 0;
    for (const open of this.#open) {
      if (!matches(open, what) || (kind !== undefined && open.kind !== kind)) continue;
      count += 1;
      this.#open.delete(open);
      open.end(code, reason);
    }
    return count;
  }
}

function matches({ sessionId, visitor }: Open, what: Ended): boolean {
  if ('sessionId' in what) return sessionId === what.sessionId;
  if ('loginId' in what) return visitor.loginId === what.loginId;
  return visitor.entryId === what.entryId;
}

/** A close frame each way (RFC 6455 5.5.1), then the sockets end; a peer that does not leave is cut. */
export function closeWebsocket(browser: Duplex, app: Duplex, code: number, reason: string): void {
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
