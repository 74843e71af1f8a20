// The proxy engine: http-proxy behind one file, with the holes closed that measurements found in it.
import type { Agent, ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import { PortalError } from '../../contract/errors.ts';
import { isSafeMethod } from '../http/origin.ts';
import { refuseUpgrade } from '../http/upgrade.ts';
import { cleanAnswer } from './headers.ts';

export interface Target {
  agent: Agent;
  /** Origin of the session host. */
  origin: string;
}

export interface Engine {
  web(request: IncomingMessage, response: ServerResponse, target: Target, failed: (error: PortalError) => void): void;
  /** `opened` gets the app's end of the websocket after its 101. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, target: Target, opened: (app: Duplex) => void): void;
}

/** While a 101 is awaited, at most this much of the client is kept. */
const earlyBytes = 65_536;
const upgradeMs = 30_000;

export function makeEngine(): Engine {
  const proxy = httpProxy.createProxyServer({ xfwd: false, ws: true, changeOrigin: false });
  const targets = new WeakMap<IncomingMessage, Target>();
  const requests = new WeakMap<IncomingMessage, ClientRequest>();
  const openings = new WeakMap<IncomingMessage, (app: Duplex) => void>();

  proxy.on('proxyRes', (answer, request, response) => {
    const target = targets.get(request);
    if (target) cleanAnswer(answer.headers, target.origin);
    // An app that dies in the middle of a body must not look like a clean end.
    answer.on('error', () => response.destroy());
    answer.on('aborted', () => response.destroy());
  });
  proxy.on('proxyReq', (outgoing, request, response) => {
    requests.set(request, outgoing);
    response.once('close', () => {
      if (!response.writableFinished) outgoing.destroy();
    });
  });
  proxy.on('proxyReqWs', (outgoing, request, socket) => {
    // A paused socket never reports that its client has left: keep reading until the 101.
    const early: Buffer[] = [];
    let length = 0;
    const read = (part: Buffer): void => {
      early.push(part);
      length += part.length;
      if (length > earlyBytes) socket.destroy();
    };
    const gone = (): void => void outgoing.destroy();
    socket.on('data', read);
    for (const event of ['end', 'close', 'error'] as const) socket.on(event, gone);
    const timer = setTimeout(
      () => outgoing.destroy(Object.assign(new Error('no 101'), { code: 'ETIMEDOUT' })),
      upgradeMs,
    );
    outgoing.once('close', () => clearTimeout(timer));
    outgoing.once('response', () => clearTimeout(timer));
    outgoing.prependListener('upgrade', (_answer: IncomingMessage, app: Duplex) => {
      clearTimeout(timer);
      socket.off('data', read);
      for (const event of ['end', 'close', 'error'] as const) socket.off(event, gone);
      for (const part of early) app.write(part);
      app.on('error', () => socket.destroy());
      socket.on('close', () => app.destroy());
      app.on('close', () => socket.destroy());
      openings.get(request)?.(app);
    });
  });

  // Without a listener http-proxy throws what a broken websocket leaves behind, and the process would end.
  proxy.on('error', (error, _request, peer) => {
    if (peer && 'writeHead' in peer) peer.destroy();
    else if (peer) refuseUpgrade(peer as Duplex, toRefusal(error));
  });

  const web: Engine['web'] = (request, response, target, failed) => {
    targets.set(request, target);
    const attempt = (mayRetry: boolean): void => {
      proxy.web(request, response, { target: 'http://app', agent: target.agent }, (error: Error) => {
        const outgoing = requests.get(request);
        // A kept-alive connection that the app closed a moment ago; nothing has been answered, nothing can have been done.
        if (
          mayRetry &&
          outgoing?.reusedSocket &&
          isSafeMethod(request.method) &&
          !response.headersSent &&
          !response.destroyed
        )
          return attempt(false);
        failed(toRefusal(error));
      });
    };
    attempt(true);
  };

  return {
    web,
    upgrade(request, socket, head, target, opened) {
      targets.set(request, target);
      openings.set(request, opened);
      proxy.ws(
        request,
        socket as Parameters<typeof proxy.ws>[1],
        head,
        { target: 'http://app', agent: target.agent },
        (error: Error) => refuseUpgrade(socket, toRefusal(error)),
      );
    },
  };
}

function toRefusal(error: Error): PortalError {
  const { code } = error as NodeJS.ErrnoException;
  return new PortalError(code === 'ETIMEDOUT' ? 'app-timeout' : 'app-unreachable', {
    cause: error,
    detail: { code, message: error.message },
  });
}
