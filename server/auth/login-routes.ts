// /auth/login, /auth/callback, /auth/logout.
import { Router, type Request, type Response } from 'express';
import { PortalError } from '../../contract/errors.ts';
import type { CookieJar } from '../http/cookies.ts';
import { html, sendPage } from '../http/html.ts';
import { requireOwnOrigin } from '../http/origin.ts';
import { isNavigation, sendProblem, toPortalError } from '../http/problem.ts';
import { makeRateLimit } from '../http/rate-limit.ts';
import { secret } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import type { User } from '../users/user.ts';
import type { Logins } from './logins.ts';
import type { Answer, Oidc } from './oidc.ts';
import { safePath } from './paths.ts';
import { pendingSeconds, type PendingLogins } from './pending.ts';
import type { Policy, Subject } from './policy.ts';

export interface LoginRoutesOptions {
  publicUrl: URL;
  /** Where logging out may lead. */
  issuerOrigin: string;
  oidc: Oidc;
  pending: PendingLogins;
  logins: Logins;
  cookies: CookieJar;
  policy: Policy;
  refreshUser: (answer: Answer) => Promise<{ user: User; subject: Subject }>;
  addressOf: (request: Request) => string;
  audit: (row: {
    action: 'login' | 'login-refused' | 'logout';
    userId?: string;
    loginId?: string;
    address?: string;
    detail?: unknown;
  }) => Promise<void>;
  log: Log;
}

export function makeLoginRoutes(options: LoginRoutesOptions): Router {
  const { publicUrl, oidc, pending, logins, cookies, policy, audit, addressOf } = options;
  const home = publicUrl.origin;
  const router = Router();
  /** Each attempt is a row until it is over. */
  const limit = makeRateLimit(60, 60);
  const page =
    (work: (request: Request, response: Response) => Promise<void>) =>
    async (request: Request, response: Response): Promise<void> => {
      try {
        await work(request, response);
      } catch (error) {
        sendLoginError(request, response, error, home, options.log);
      }
    };

  router.get(
    '/login',
    page(async (request, response) => {
      await limit(addressOf(request));
      const to = safePath(request.query['to']);
      const { url, attempt } = await oidc.begin();
      const browser = cookies.read(request, 'ls-pending') ?? secret();
      await pending.put(attempt, browser, to);
      // Both forms: a browser that refuses __Host- on http keeps the plain one.
      response.append('Set-Cookie', [
        ...cookies.set('ls-pending', browser, pendingSeconds),
        ...(publicUrl.protocol === 'http:' ? cookies.set('ls-pending', browser, pendingSeconds, 'plain') : []),
      ]);
      response.set('Cache-Control', 'no-store').redirect(303, url.href);
    }),
  );

  router.get(
    '/callback',
    page(async (request, response) => {
      const query = new URL(request.originalUrl, home).searchParams;
      const { attempt, toPath } = await pending.take(query.get('state') ?? '', cookies.read(request, 'ls-pending'));
      const answer = await oidc.finish(query, attempt);
      const { user, subject } = await options.refreshUser(answer);
      const address = addressOf(request);
      if (!policy.mayLogIn(subject)) {
        await audit({ action: 'login-refused', userId: user.id, address, detail: { groups: subject.groups } });
        return sendRefused(response, home, user, subject, policy);
      }
      const before = await logins.authenticate(request);
      if (before) await logins.logOut(before.login.id);
      const login = await logins.create(user, answer, { address, userAgent: request.get('user-agent') ?? '' });
      await audit({ action: 'login', userId: user.id, loginId: login.id, address });
      response.append('Set-Cookie', cookies.set('ls-login', login.secret, 7 * 86_400));
      if (publicUrl.protocol !== 'http:') {
        response.set('Cache-Control', 'no-store').redirect(303, toPath);
        return;
      }
      // On http some browsers refuse __Host-: the next hop looks whether it has come and falls back once.
      const ticket = secret();
      fallbacks.set(ticket, login.secret);
      setTimeout(() => fallbacks.delete(ticket), 30_000).unref();
      response.append('Set-Cookie', cookies.set('ls-pending', ticket, 30, 'plain'));
      response.set('Cache-Control', 'no-store').redirect(303, `/auth/arrived?to=${encodeURIComponent(toPath)}`);
    }),
  );

  const fallbacks = new Map<string, string>();
  router.get(
    '/arrived',
    page(async (request, response) => {
      const to = safePath(request.query['to']);
      const hint = cookies.read(request, 'ls-pending');
      const kept = hint === undefined ? undefined : fallbacks.get(hint);
      if (hint !== undefined) fallbacks.delete(hint);
      if (!(await logins.authenticate(request)) && kept !== undefined)
        response.append('Set-Cookie', cookies.set('ls-login', kept, 7 * 86_400, 'plain'));
      response.set('Cache-Control', 'no-store').redirect(303, to);
    }),
  );

  router.get('/logout', (_request, response) => {
    sendPage(response, {
      status: 200,
      title: 'Log out',
      home,
      body: html`<h1>Log out?</h1>
        <p>Your sessions go on. You need to log in again to open them.</p>
        <form method="post" action="/auth/logout"><button type="submit">Log out</button></form>`,
      formTargets: [options.issuerOrigin],
    });
  });

  router.post(
    '/logout',
    requireOwnOrigin(publicUrl.origin),
    page(async (request, response) => {
      const who = await logins.authenticate(request);
      response.append('Set-Cookie', cookies.set('ls-login', '', 0));
      let next: URL | undefined;
      if (who) {
        const idToken = await logins.logOut(who.login.id);
        await audit({ action: 'logout', userId: who.user.id, loginId: who.login.id, address: addressOf(request) });
        next = await oidc.endSessionUrl(idToken).catch(() => undefined);
      }
      response.set('Cache-Control', 'no-store').redirect(303, next?.href ?? '/');
    }),
  );
  router.use((_request, _response, next) => next(new PortalError('not-found')));
  return router;
}

function sendLoginError(request: Request, response: Response, error: unknown, home: string, log: Log): void {
  const refusal = toPortalError(error);
  if (!isNavigation(request) || refusal.code === 'internal') return sendProblem(response, error, log);
  log.info({ code: refusal.code, detail: refusal.detail }, 'login refused');
  sendPage(response, {
    status: refusal.status,
    title: 'Log in',
    home,
    headers: refusal.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(refusal.retryAfterSeconds) },
    body: html`<h1>The login did not work</h1>
      <p role="alert">${refusal.message}</p>
      <p><a class="button" href="/auth/login">Log in again</a></p>
      <p class="dim"><small>${refusal.code}</small></p>`,
  });
}

function sendRefused(response: Response, home: string, user: User, subject: Subject, policy: Policy): void {
  const rules = policy.explain();
  sendPage(response, {
    status: 403,
    title: 'No access',
    home,
    body: html`<h1>You are known, but not allowed in here</h1>
      <p role="alert">You logged in as ${user.name}. The rules of this installation do not let you in.</p>
      ${
        rules.length === 0
          ? html`<p>No rules have been set up yet, so nobody gets in. Its administrators can change that.</p>`
          : html`<p>Who gets in:</p>
              <ul>
                ${rules.map((rule) => html`<li>${rule}</li>`)}
              </ul>`
      }
      <p>Your groups: ${subject.groups.length === 0 ? 'none' : subject.groups.join(', ')}.</p>
      <p class="dim"><small>login-refused</small></p>`,
  });
}
