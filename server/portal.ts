// The portal's Express chain: login, API, entering sessions, the page.
import express, { type Express, type RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import { PortalError } from '../contract/errors.ts';
import { sameSecret } from './lib/ids.ts';
import { portalHeaders } from './http/headers.ts';
import { errorEnd } from './http/problem.ts';
import { servePage } from './http/static.ts';
import type { Log } from './lib/log.ts';

export interface PortalOptions {
  secure: boolean;
  issuerOrigin: string;
  iam: RequestHandler | undefined;
  loginRoutes: RequestHandler;
  enter: RequestHandler;
  api: RequestHandler;
  metrics: { registry: Registry; token: string | undefined };
  webDirectory: string;
  log: Log;
}

/** Routes of the page; everything else that is not found is a problem, not a page. */
const pageRoutes = /^\/(?:$|sessions\/[a-z2-7]{16}$|account$)/;

export function makePortal(options: PortalOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  if (options.iam) app.use('/iam', options.iam);
  app.use(portalHeaders(options.secure, [options.issuerOrigin]));
  app.use('/auth', options.loginRoutes);
  app.get('/enter', options.enter);
  app.use('/api', options.api);
  app.get('/metrics', metricsByToken(options.metrics));
  app.use(servePage(options.webDirectory, (path) => pageRoutes.test(path)));
  app.use(errorEnd(options.log));
  return app;
}

/** Without a token in the configuration there are no metrics here. */
function metricsByToken({ registry, token }: PortalOptions['metrics']): RequestHandler {
  return async (request, response) => {
    const given = /^Bearer (.+)$/.exec(request.get('authorization') ?? '')?.[1];
    if (token === undefined || given === undefined || !sameSecret(given, token)) throw new PortalError('not-found');
    response.set('Content-Type', registry.contentType).send(await registry.metrics());
  };
}
