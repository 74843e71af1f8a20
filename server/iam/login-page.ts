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

/** Ten wrong passwords a minute per account and address, thirty per address. */
export function makeLoginPage({ provider, accounts, portal, addressOf, formTargets }: LoginPageOptions): Router {
  const byAccount = new RateLimiterMemory({ points: 10, duration: 60 });
  const byAddress = new RateLimiterMemory({ points: 30, duration: 60 });
  const router = Router();

  const show = (response: Response, uid: string, username: string, problem?: string): void =>
    sendPage(response, {
      status: problem === undefined ? 200 : 401,
      title: 'Log in',
      home: portal,
      formTargets,
      body: html`<h1>Log in</h1>
        ${problem === undefined ? '' : html`<p class="bad" role="alert">${problem}</p>`}
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
      if (account === 'limited')
        return show(response, uid, username, 'Too many attempts. Wait a minute and try again.');
      if (!account) return show(response, uid, username, 'Name or password is wrong.');
      await provider.interactionFinished(
        request,
        response,
        { login: { accountId: account.sub, amr: ['pwd'] } },
        { mergeWithLastSubmission: false },
      );
    } catch (error) {
      refuse(response, error);
    }
  });

  const attempt = async (username: string, password: string, address: string) => {
    const used = await Promise.all([byAccount.get(`${username} ${address}`), byAddress.get(address)]);
    if ((used[0]?.consumedPoints ?? 0) >= 10 || (used[1]?.consumedPoints ?? 0) >= 30) return 'limited';
    const account = await accounts.check(username, password);
    if (!account) await Promise.allSettled([byAccount.consume(`${username} ${address}`), byAddress.consume(address)]);
    return account;
  };
  return router;
}
