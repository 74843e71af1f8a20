// The embedded issuer's own login page.
import { urlencoded, Router, type Request, type Response } from 'express';
import type { Provider } from 'oidc-provider';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { PortalError } from '../../contract/errors.ts';
import { html, sendPage } from '../http/html.ts';
import type { Accounts } from './accounts.ts';

export interface LoginPageOptions {
  provider: Provider;
  accounts: Accounts;
  portal: string;
  addressOf: (request: Request) => string;
  /** Where the form's redirects may lead: the portal. */
  formTargets: string[];
}

interface Problem {
  status: number;
  message: string;
  retryAfterSeconds?: number | undefined;
}

const windowSeconds = 60;

/** Ten wrong passwords a minute per account and address, thirty per address. */
export function makeLoginPage({ provider, accounts, portal, addressOf, formTargets }: LoginPageOptions): Router {
  const byAccount = new RateLimiterMemory({ points: 10, duration: windowSeconds });
  const byAddress = new RateLimiterMemory({ points: 30, duration: windowSeconds });
  const router = Router();

  const show = (response: Response, uid: string, username: string, problem?: Problem): void =>
    sendPage(response, {
      status: problem?.status ?? 200,
      headers: problem?.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(problem.retryAfterSeconds) },
      title: 'Log in',
      home: portal,
      formTargets,
      body: html`<h1>Log in</h1>
        ${problem === undefined ? '' : html`<p class="bad" role="alert">${problem.message}</p>`}
        <form method="post" action="/iam/interaction/${uid}">
          <label for="username">Name</label>
          <input
            id="username"
            name="username"
            autocomplete="username"
            autocapitalize="none"
            spellcheck="false"
            required
            maxlength="64"
            value="${username}"
            ${username === '' ? html` autofocus` : ''}
          />
          <label for="password">Password</label>
          <input
            id="password"
            name="password"
            type="password"
            autocomplete="current-password"
            required
            maxlength="256"
            ${username === '' ? '' : html` autofocus`}
          />
          <button type="submit">Log in</button>
        </form>
        <p class="dim">
          <small
            >Demo people of this installation: ada, bela, cora. Their passwords were printed at the first start.</small
          >
        </p>`,
    });

  const interaction = async (request: Request, response: Response): Promise<string> => {
    try {
      const details = await provider.interactionDetails(request, response);
      if (details.uid !== request.params['uid']) throw new Error('another interaction');
      return details.uid;
    } catch (error) {
      throw new PortalError('iam-interaction-unknown', { cause: error });
    }
  };
  const refuse = (response: Response, error: unknown): void => {
    if (!(error instanceof PortalError)) throw error;
    sendPage(response, {
      status: error.status,
      title: 'Log in',
      home: portal,
      body: html`<h1>This page is no longer valid</h1>
        <p role="alert">${error.message}</p>
        <p><a class="button" href="${portal}">Start again</a></p>
        <p class="dim"><small>${error.code}</small></p>`,
    });
  };

  router.get('/:uid', async (request, response) => {
    try {
      show(response, await interaction(request, response), '');
    } catch (error) {
      refuse(response, error);
    }
  });

  router.post('/:uid', urlencoded({ extended: false, limit: '4kb' }), async (request, response) => {
    try {
      const uid = await interaction(request, response);
      const body = (request.body ?? {}) as Record<string, unknown>;
      const username = typeof body['username'] === 'string' ? body['username'].trim().toLowerCase() : '';
      const password = typeof body['password'] === 'string' ? body['password'] : '';
      const address = addressOf(request);
      const account = await attempt(username, password, address);
      if (!account) return show(response, uid, username, { status: 401, message: 'Name or password is wrong.' });
      await provider.interactionFinished(
        request,
        response,
        { login: { accountId: account.sub, amr: ['pwd'] } },
        { mergeWithLastSubmission: false },
      );
    } catch (error) {
      if (error instanceof PortalError && error.code === 'rate-limited')
        return show(response, String(request.params['uid']), '', error);
      refuse(response, error);
    }
  });

  /** Counts first and gives back after a right password: many attempts at once cannot pass the limit together. */
  const attempt = async (username: string, password: string, address: string) => {
    const key = `${username} ${address}`;
    const counted = await Promise.allSettled([byAccount.consume(key), byAddress.consume(address)]);
    if (counted.some(({ status }) => status === 'rejected'))
      throw new PortalError('rate-limited', { retryAfterSeconds: windowSeconds });
    const account = await accounts.check(username, password);
    if (account) await Promise.all([byAccount.delete(key), byAddress.reward(address)]);
    return account;
  };
  return router;
}
