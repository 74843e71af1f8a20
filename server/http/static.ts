// The page's files: hashed assets are immutable, index.html is never kept, portal routes fall back to it.
import express, { Router } from 'express';
import path from 'node:path';
import { PortalError } from '../../contract/errors.ts';

/** @param isPage tells which paths are routes of the page */
export function servePage(directory: string, isPage: (path: string) => boolean): Router {
  const router = Router();
  router.use(
    '/assets',
    express.static(path.join(directory, 'assets'), {
      immutable: true,
      maxAge: '365d',
      index: false,
      fallthrough: true,
    }),
  );
  router.use(express.static(directory, { index: false, maxAge: 0 }));
  router.get('/{*path}', (request, response, next) => {
    if (!isPage(request.path)) return next();
    response.set('Cache-Control', 'no-store').sendFile(path.join(directory, 'index.html'));
  });
  router.use((_request, _response, next) => next(new PortalError('not-found')));
  return router;
}
