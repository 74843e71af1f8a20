// Server-sent events (HTML standard, 9.2). A reader that does not keep up is cut; it comes back with Last-Event-ID.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../lib/clock.ts';

export interface SseStream {
  send(event: { id?: number; event: string; data: unknown }): void;
  close(): void;
  readonly closed: boolean;
  onClose(call: () => void): void;
}

const maxBufferedBytes = 1_048_576;

/** Starts a stream; a comment every `heartbeatSeconds` keeps intermediaries from cutting it. */
export function openSse(
  request: IncomingMessage,
  response: ServerResponse,
  clock: Clock,
  heartbeatSeconds = 15,
): SseStream {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store, no-transform',
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
  request.socket.setNoDelay(true);
  let closed = false;
  let timer: { close(): void } | undefined;
  const listeners: (() => void)[] = [];
  const end = (): void => {
    if (closed) return;
    closed = true;
    timer?.close();
    for (const call of listeners) call();
  };
  const write = (text: string): void => {
    if (closed) return;
    response.write(text);
    if (response.writableLength > maxBufferedBytes) response.destroy();
  };
  const beat = (): void => {
    write(':\n\n');
    timer = clock.after(heartbeatSeconds * 1000, beat);
  };
  response.on('close', end);
  write('retry: 2000\n\n');
  timer = clock.after(heartbeatSeconds * 1000, beat);
  return {
    send: ({ id, event, data }) =>
      write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    close: () => {
      response.end();
      end();
    },
    get closed() {
      return closed;
    },
    onClose: (call) => void listeners.push(call),
  };
}
