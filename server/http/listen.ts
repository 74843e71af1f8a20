// The listener: plain or TLS, with certificate reload that keeps open sockets.
import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { createServer as createPlain, type Server, type ServerOptions } from 'node:http';
import { createServer as createSecure, type Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

export interface ListenOptions {
  host: string;
  port: number;
  /** The setting that gave the port. */
  key?: string;
  tls?: { certFile: string; keyFile: string } | undefined;
  clock: Clock;
  log: Log;
}

export interface Listener {
  server: Server;
  port: number;
  /** Stops accepting, ends idle sockets, and after the grace destroys what is left. */
  close(graceMilliseconds?: number): Promise<void>;
}

// Longer than the 60 s of common ingresses; no limit for bodies, uploads may be big; cookies of notebooks and IAMs pass 16 KiB.
const options: ServerOptions = {
  keepAliveTimeout: 75_000,
  headersTimeout: 60_000,
  requestTimeout: 0,
  maxHeaderSize: 65_536,
  noDelay: true,
};

/** @throws Error with a sentence naming port, address or file and what to do */
export async function listen({ host, port, key = 'listen.port', tls, clock, log }: ListenOptions): Promise<Listener> {
  const server = tls ? createSecure({ ...options, ...readPair(tls) }) : createPlain(options);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(sentence(error, host, port, key), { cause: error })),
    );
    server.listen(port, host, 4096, () => resolve());
  });
  const reload = tls ? watchPair(server as SecureServer, tls, clock, log) : undefined;
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async close(graceMilliseconds = 1000) {
      reload?.close();
      const done = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const force = clock.after(graceMilliseconds, () => {
        for (const socket of sockets) socket.destroy();
      });
      await done;
      force.close();
    },
  };
}

function sentence(error: NodeJS.ErrnoException, host: string, port: number, key: string): string {
  if (error.code === 'EADDRINUSE')
    return `${key}: ${port} on ${host} is in use by another program; stop it or set another ${key}`;
  if (error.code === 'EACCES')
    return `${key}: ${port} is not permitted for this account; use a port above 1023 or grant CAP_NET_BIND_SERVICE`;
  if (error.code === 'EADDRNOTAVAIL') return `listen.host: '${host}' is no address of this machine`;
  return `listen: ${host}:${port}: ${error.message}`;
}

function readPair(tls: { certFile: string; keyFile: string }): { cert: Buffer; key: Buffer } {
  const read = (key: string, file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Error(`tls.${key}: '${file}' cannot be read (${(error as Error).message})`, { cause: error });
    }
  };
  const pair = { cert: read('certFile', tls.certFile), key: read('keyFile', tls.keyFile) };
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new Error(
      `tls: certificate '${tls.certFile}' and key '${tls.keyFile}' do not work together (${(error as Error).message})`,
      { cause: error },
    );
  }
  return pair;
}

/** Watches the folders, since certificates are usually replaced by rename. A bad pair keeps the old one. */
function watchPair(
  server: SecureServer,
  tls: { certFile: string; keyFile: string },
  clock: Clock,
  log: Log,
): { close(): void } {
  let timer: { close(): void } | undefined;
  let last = readFileSync(tls.certFile, 'utf8') + readFileSync(tls.keyFile, 'utf8');
  const reload = (): void => {
    try {
      const pair = readPair(tls);
      const text = pair.cert.toString('utf8') + pair.key.toString('utf8');
      if (text === last) return;
      server.setSecureContext(pair);
      last = text;
      log.info({ certFile: tls.certFile }, 'certificate reloaded');
    } catch (error) {
      log.warn({ err: error }, 'new certificate refused, the old one stays');
    }
  };
  const later = (): void => {
    timer?.close();
    timer = clock.after(100, reload);
  };
  const watchers: FSWatcher[] = [...new Set([path.dirname(tls.certFile), path.dirname(tls.keyFile)])].map((folder) =>
    watch(folder, { persistent: false }, later),
  );
  return {
    close() {
      timer?.close();
      for (const watcher of watchers) watcher.close();
    },
  };
}
