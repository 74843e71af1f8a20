// Socket guard: an upgraded socket has an error listener before anybody else touches it, and refusals are complete answers.
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { toPortalError } from './problem.ts';

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/**
 * Wraps an upgrade handler: one client that resets its socket early must not end the process
 * (without a listener 'error' is thrown), and a handler that throws becomes a refusal.
 */
export function guardUpgrade(
  handler: (request: IncomingMessage, socket: Duplex, head: Buffer) => void | Promise<void>,
): UpgradeHandler {
  return (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    void (async () => {
      try {
        await handler(request, socket, head);
      } catch (error) {
        refuseUpgrade(socket, error);
      }
    })();
  };
}

/** Writes the refusal as a complete HTTP answer with problem+json and closes. */
export function refuseUpgrade(socket: Duplex, error: unknown): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const refusal = toPortalError(error);
  const body = JSON.stringify(refusal.toProblem());
  const retry = refusal.retryAfterSeconds === undefined ? '' : `Retry-After: ${refusal.retryAfterSeconds}\r\n`;
  socket.end(
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? 'Refused'}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n${retry}Cache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
  );
  socket.once('finish', () => socket.destroy());
}
