// Which part answers a request: decided by Host, before Express. One guard for requests and upgrades.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Express } from 'express';
import { PortalError } from '../contract/errors.ts';
import { answerHealth, type Check } from './http/health.ts';
import { sendProblem } from './http/problem.ts';
import { logRequest } from './http/request-log.ts';
import { guardUpgrade } from './http/upgrade.ts';
import type { Log } from './lib/log.ts';
import type { Gateway } from './proxy/gateway.ts';
import { makeMatch, type Match, type MatchOptions } from './proxy/match.ts';
import { makePages } from './proxy/pages.ts';
import type { Hub } from './tunnel/hub.ts';

export interface DispatchOptions extends MatchOptions {
  gateway: Gateway;
  hub: Hub;
  portal: Express;
  /** What /readyz asks. */
  checks: Record<string, Check>;
  /** Counts an answer. */
  count: (part: Match['part'], status: number) => void;
  log: Log;
}

interface Attachable {
  on(event: string, call: (...args: never[]) => void): unknown;
}

export interface Dispatch {
  /** Every part answers. */
  attach(server: Attachable): void;
  /** Only tunnel, enrolment and health answer: a plain listener must not be a second way to the portal or to sessions. */
  attachForAgents(server: Attachable): void;
}

export function makeDispatch(options: DispatchOptions): Dispatch {
  const { gateway, hub, portal, checks, count, log } = options;
  const match = makeMatch(options);
  const matchForAgents = (request: IncomingMessage): Match => {
    const to = match(request);
    return to.part === 'portal' || to.part === 'session' ? { part: 'unknown' } : to;
  };
  const pages = makePages(options.publicUrl.origin, log);

  const answer = async (request: IncomingMessage, response: ServerResponse, find: typeof match): Promise<void> => {
    if (await answerHealth(request, response, checks)) return;
    const to = find(request);
    logRequest(log, to.part, request, response, (status) => count(to.part, status));
    switch (to.part) {
      case 'session':
        return await gateway.request(request, response, to.host);
      case 'tunnel':
        if (request.url?.startsWith('/tunnel/v1/enrol')) return await hub.enrol(request, response);
        return pages.refuse(
          request,
          response,
          new PortalError('tunnel-protocol', { message: 'This address takes websockets of agents only.' }),
        );
      case 'portal':
        return void portal(request, response);
      case 'malformed':
        return sendProblem(response, new PortalError('bad-request'), log);
      case 'unknown':
        return pages.refuse(request, response, new PortalError('host-unknown'));
    }
  };
  const attach = (server: Attachable, find: typeof match): void => {
    const onRequest: RequestListener = (request, response) => {
      answer(request, response, find).catch((error: unknown) => sendProblem(response, error, log));
    };
    const onUpgrade = guardUpgrade(async (request, socket, head) => {
      const to = find(request);
      if (to.part === 'session') return await gateway.upgrade(request, socket, head, to.host);
      if (to.part === 'tunnel') return await hub.upgrade(request, socket, head);
      throw new PortalError(
        to.part === 'portal' ? 'not-found' : to.part === 'malformed' ? 'bad-request' : 'host-unknown',
      );
    });
    server.on('request', onRequest);
    server.on('upgrade', onUpgrade);
  };
  return { attach: (server) => attach(server, match), attachForAgents: (server) => attach(server, matchForAgents) };
}
