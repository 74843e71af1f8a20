// /.linkspan/*: the gateway's own addresses on a session host.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PortalError } from '../../contract/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { formatDuration } from '../lib/units.ts';
import type { HostedSession, Ports, Visitor } from './ports.ts';

/** Answers status.json (polling, slides nothing) and here (a person is there). Throws not-found for anything else. */
export function answerOwn(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  session: HostedSession,
  visitor: Visitor,
  ports: Ports,
  clock: Clock,
): void {
  if (path === '/.linkspan/status.json' && (request.method === 'GET' || request.method === 'HEAD')) {
    const left = session.endsAt === null ? undefined : Math.max(0, (session.endsAt - clock.now()) / 1000);
    const text = left === undefined ? '' : `${formatDuration(left)} left`;
    const body = JSON.stringify({
      text,
      endsAt: session.endsAt === null ? null : new Date(session.endsAt).toISOString(),
      state: session.state,
      title: session.title,
    });
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
    return;
  }
  if (path === '/.linkspan/here') {
    if (request.method !== 'POST') throw new PortalError('method-not-allowed');
    ports.person(visitor, session.id);
    response.writeHead(204, { 'Cache-Control': 'no-store' });
    response.end();
    return;
  }
  throw new PortalError('not-found');
}
