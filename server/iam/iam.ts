// The embedded issuer (node-oidc-provider): a real OpenID provider for the default set-up. The portal treats it like any other.
import { Router, type Request } from 'express';
import { Provider, type Configuration, type KoaContextWithOIDC } from 'oidc-provider';
import type { Database } from '../db/open.ts';
import type { Seal } from '../db/seal.ts';
import { html, renderPage, type Page } from '../http/html.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { makeAccounts } from './accounts.ts';
import { makeAdapter } from './adapter.ts';
import { loadOrMakeIamKeys } from './keys.ts';
import { makeLoginPage } from './login-page.ts';
import { purgeIamRecords } from './purge.ts';

export interface IamOptions {
  /** `<publicUrl>/iam` */
  issuerUrl: string;
  /** Origin of the portal: its callback and where logging out leads. */
  portal: string;
  db: Database;
  seal: Seal;
  clock: Clock;
  log: Log;
  addressOf: (request: Request) => string;
}

export interface Iam {
  /** Mounted at /iam. */
  router: Router;
  clientId: string;
  clientSecret: string;
  /** Filled at the very first start only. */
  fresh: { username: string; password: string }[];
  /** Deletes records that are over. Called each hour. */
  purge(): Promise<void>;
}

/** Through the provider's own context: it adds its cookies afterwards. */
function put(context: KoaContextWithOIDC, page: Page): void {
  const { status, headers, text } = renderPage(page);
  context.status = status;
  context.set(headers);
  context.body = text;
}

export async function makeIam(options: IamOptions): Promise<Iam> {
  const { issuerUrl, portal, db, seal, clock, log } = options;
  const [keys, accounts] = [await loadOrMakeIamKeys(db, seal), await makeAccounts(db)];
  const clientId = 'linkspan';
  const secure = issuerUrl.startsWith('https:');
  const configuration: Configuration = {
    adapter: makeAdapter(db, clock),
    clients: [
      {
        client_id: clientId,
        client_secret: keys.clientSecret,
        redirect_uris: [`${portal}/auth/callback`],
        post_logout_redirect_uris: [`${portal}/`],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    jwks: keys.jwks as NonNullable<Configuration['jwks']>,
    cookies: {
      keys: keys.cookieKeys,
      long: { secure, sameSite: 'lax' },
      short: { secure, sameSite: 'lax' },
      names: { session: 'ls-iam', interaction: 'ls-iam-interaction', resume: 'ls-iam-resume' },
    },
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    pkce: { required: () => true },
    findAccount: async (_context, sub) => {
      const account = await accounts.find(sub);
      return (
        account && {
          accountId: sub,
          claims: () => ({
            sub,
            name: account.name,
            preferred_username: account.username,
            email: account.email,
            email_verified: true,
            groups: account.groups,
          }),
        }
      );
    },
    interactions: { url: (_context, interaction) => `/iam/interaction/${interaction.uid}` },
    // The one client is our own portal: nobody is asked to consent.
    loadExistingGrant: async (context) => {
      const grant = new context.oidc.provider.Grant({
        clientId: context.oidc.client!.clientId,
        accountId: context.oidc.session!.accountId!,
      });
      grant.addOIDCScope('openid profile email groups offline_access');
      await grant.save();
      return grant;
    },
    issueRefreshToken: () => Promise.resolve(true),
    rotateRefreshToken: true,
    // The portal's logins have their own ends, and revoke their tokens when they are ended.
    expiresWithSession: () => false,
    features: {
      devInteractions: { enabled: false },
      revocation: {
        enabled: true,
        // A client may revoke its own tokens only.
        allowedPolicy: (_context, client, token) => Promise.resolve(token.clientId === client.clientId),
      },
      rpInitiatedLogout: {
        enabled: true,
        // Confirmed by the portal already: the form sends itself.
        logoutSource: (context, form) => {
          const id = /value="([^"]*)"/.exec(form)?.[1] ?? '';
          put(context, {
            status: 200,
            title: 'Log out',
            home: portal,
            formTargets: [portal],
            submitsItself: true,
            body: html`<h1>Logging out</h1>
              <form id="op.logoutForm" method="post" action="/iam/session/end/confirm">
                <input type="hidden" name="xsrf" value="${id}" /><input
                  type="hidden"
                  name="logout"
                  value="yes"
                /><button type="submit" autofocus>Log out</button>
              </form>`,
          });
        },
      },
    },
    ttl: {
      AccessToken: 3600,
      AuthorizationCode: 60,
      IdToken: 3600,
      Interaction: 3600,
      Session: 12 * 3600,
      Grant: 8 * 86_400,
      RefreshToken: 8 * 86_400,
    },
    renderError: (context, out) => {
      put(context, {
        status: context.status,
        title: 'Log in',
        home: portal,
        body: html`<h1>The login did not work</h1>
          <p role="alert">${out.error_description ?? out.error}</p>
          <p><a class="button" href="${portal}">Start again</a></p>`,
      });
    },
  };
  const provider = new Provider(issuerUrl, configuration);
  // Requests come from our own listener or socket; which headers of proxies count is decided there.
  provider.proxy = true;
  provider.on('server_error', (_context: unknown, error: Error) =>
    log.error({ err: error }, 'embedded login service failed'),
  );

  const issuer = new URL(issuerUrl);
  const router = Router();
  router.use((request, _response, next) => {
    request.headers['x-forwarded-proto'] = issuer.protocol.slice(0, -1);
    request.headers['x-forwarded-host'] = issuer.host;
    next();
  });
  router.use(
    '/interaction',
    makeLoginPage({ provider, accounts, portal, addressOf: options.addressOf, formTargets: [portal] }),
  );
  router.use(provider.callback());
  return {
    router,
    clientId,
    clientSecret: keys.clientSecret,
    fresh: accounts.fresh,
    purge: () => purgeIamRecords(db, clock.now()),
  };
}
