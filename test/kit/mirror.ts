// An app that says what reached it: JSON of each request; other paths misbehave on purpose. Websockets echo.
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';

export interface Seen {
  method: string;
  url: string;
  headers: http.IncomingHttpHeaders;
  rawHeaders: string[];
  body: string;
}

export interface Mirror {
  port: number;
  /** Requests that it answered with what it saw. */
  seen: Seen[];
  /** Requests whose client left before the answer. */
  aborted: string[];
  upgrades: http.IncomingMessage[];
  sockets: Set<Socket>;
  /** Lets websockets in that wait at /ws/late. */
  letIn(): void;
  close(): Promise<void>;
}

export async function mirror(): Promise<Mirror> {
  const aborted: string[] = [];
  const seen: Seen[] = [];
  const upgrades: http.IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const late: (() => void)[] = [];
  const server = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    response.on('close', () => {
      if (!response.writableFinished) aborted.push(request.url ?? '');
    });
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://app');
      switch (url.pathname) {
        case '/headers': {
          for (const [name, value] of url.searchParams) response.appendHeader(name, value);
          response.end('headers');
          return;
        }
        case '/status':
          response.writeHead(Number(url.searchParams.get('code'))).end('status');
          return;
        case '/half':
          response.writeHead(200, { 'Content-Length': '1000' });
          response.write('half');
          setImmediate(() => response.destroy());
          return;
        case '/never':
          return;
        case '/stream':
          response.write('and so on');
          return;
        case '/large':
          response.end(Buffer.alloc(8 << 20, 'x'));
          return;
        case '/destroy':
          request.socket.destroy();
          return;
        default: {
          const told: Seen = {
            method: request.method ?? '',
            url: request.url ?? '',
            headers: request.headers,
            rawHeaders: request.rawHeaders,
            body: Buffer.concat(parts).toString('latin1'),
          };
          response.setHeader('Content-Type', 'application/json');
          seen.push(told);
          response.end(JSON.stringify(told));
        }
      }
    });
  });
  const websockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    // A socket that nobody reads never reports its end.
    if (request.url === '/ws/never') return void socket.on('end', () => socket.end()).resume();
    if (request.url === '/ws/refuse') return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    const letIn = (): void =>
      websockets.handleUpgrade(request, socket, head, (websocket) => {
        upgrades.push(request);
        websocket.on('message', (data, binary) => websocket.send(data, { binary }));
      });
    if (request.url === '/ws/late') late.push(letIn);
    else letIn();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    aborted,
    upgrades,
    sockets,
    letIn: () => late.splice(0).forEach((one) => one()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
