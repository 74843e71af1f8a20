// The portal as a client of its IAM (OpenID Connect Core 1.0, RFC 7636 PKCE, RP-Initiated Logout 1.0), by openid-client.
import * as client from 'openid-client';
import { PortalError } from '../../contract/errors.ts';
import { backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';

export interface OidcOptions {
  issuer: {
    url: string;
    clientId: string;
    clientSecret?: string | undefined;
    clientAuth: 'client_secret_basic' | 'client_secret_post' | 'none';
    scopes: string[];
  };
  redirectUri: string;
  postLogoutUri: string;
  clock: Clock;
  log: Log;
  /** How the issuer is reached; the embedded one goes over a unix socket. */
  fetch?: client.CustomFetch;
}

export interface Attempt {
  state: string;
  nonce: string;
  verifier: string;
}

export interface Answer {
  claims: Record<string, unknown> & { iss: string; sub: string };
  tokens: Tokens;
}

export interface Tokens {
  refreshToken?: string;
  accessToken: string;
  idToken?: string;
}

export interface Oidc {
  begin(): Promise<{ url: URL; attempt: Attempt }>;
  /** Throws PortalError login-failed or iam-unreachable. */
  finish(query: URLSearchParams, attempt: Attempt): Promise<Answer>;
  /**
   * New claims with a refresh token; 'ended' when the IAM says invalid_grant. Throws iam-unreachable.
   * `keep` gets the new tokens before the claims are asked for: the old refresh token may be worthless from then on.
   */
  refresh(refreshToken: string, sub: string, keep: (tokens: Tokens) => Promise<void>): Promise<Answer | 'ended'>;
  endSessionUrl(idToken: string | undefined): Promise<URL | undefined>;
  revoke(refreshToken: string): Promise<void>;
}

/** Discovery is lazy: the issuer may be the portal itself, or be down. After a failure the next try waits a little. */
export function makeOidc(options: OidcOptions): Oidc {
  const { issuer, clock, log } = options;
  let known: client.Configuration | undefined;
  let pending: Promise<client.Configuration> | undefined;
  let failures = 0;
  let notBefore = 0;

  const discover = async (): Promise<client.Configuration> => {
    const url = new URL(issuer.url);
    const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
    const authentication =
      issuer.clientAuth === 'none' || issuer.clientSecret === undefined
        ? client.None()
        : issuer.clientAuth === 'client_secret_post'
          ? client.ClientSecretPost(issuer.clientSecret)
          : client.ClientSecretBasic(issuer.clientSecret);
    return await client.discovery(url, issuer.clientId, undefined, authentication, {
      timeout: 10,
      ...(url.protocol === 'http:' && loopback ? { execute: [client.allowInsecureRequests] } : {}),
      ...(options.fetch ? { [client.customFetch]: options.fetch } : {}),
    });
  };

  const configuration = async (): Promise<client.Configuration> => {
    if (known) return known;
    if (clock.now() < notBefore) throw new PortalError('iam-unreachable', { retryAfterSeconds: 5 });
    pending ??= discover().finally(() => {
      pending = undefined;
    });
    try {
      known = await pending;
      failures = 0;
      return known;
    } catch (error) {
      notBefore = clock.now() + backoff(failures++, { firstMs: 500, capMs: 5000 });
      log.warn({ err: error, issuer: issuer.url }, 'login service does not answer');
      throw new PortalError('iam-unreachable', { cause: error, retryAfterSeconds: 5 });
    }
  };

  /** ID token and userinfo together: by the specification groups and names may stand in either. */
  const merge = async (
    config: client.Configuration,
    tokens: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers,
    sub?: string,
  ): Promise<Answer> => {
    const idClaims = tokens.claims();
    const expected = idClaims?.sub ?? sub;
    if (expected === undefined || (sub !== undefined && expected !== sub))
      throw new PortalError('login-failed', { detail: 'subject differs' });
    const userinfo = config.serverMetadata().userinfo_endpoint
      ? await client.fetchUserInfo(config, tokens.access_token, expected)
      : {};
    return {
      claims: { ...userinfo, ...idClaims, iss: config.serverMetadata().issuer, sub: expected },
      tokens: tokensIn(tokens),
    };
  };

  return {
    async begin() {
      const config = await configuration();
      const attempt = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
      };
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: options.redirectUri,
        scope: issuer.scopes.join(' '),
        state: attempt.state,
        nonce: attempt.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(attempt.verifier),
        code_challenge_method: 'S256',
      });
      return { url, attempt };
    },
    async finish(query, attempt) {
      const config = await configuration();
      // Rebuilt from our own address, never from the Host header.
      const url = new URL(options.redirectUri);
      url.search = query.toString();
      try {
        const tokens = await client.authorizationCodeGrant(config, url, {
          pkceCodeVerifier: attempt.verifier,
          expectedState: attempt.state,
          expectedNonce: attempt.nonce,
          idTokenExpected: true,
        });
        return await merge(config, tokens);
      } catch (error) {
        throw refusal(error);
      }
    },
    async refresh(refreshToken, sub, keep) {
      const config = await configuration();
      try {
        const tokens = await client.refreshTokenGrant(config, refreshToken);
        await keep(tokensIn(tokens));
        return await merge(config, tokens, sub);
      } catch (error) {
        if (error instanceof client.ResponseBodyError && error.error === 'invalid_grant') return 'ended';
        throw refusal(error);
      }
    },
    async endSessionUrl(idToken) {
      const config = await configuration();
      if (!config.serverMetadata().end_session_endpoint) return undefined;
      return client.buildEndSessionUrl(config, {
        post_logout_redirect_uri: options.postLogoutUri,
        ...(idToken === undefined ? {} : { id_token_hint: idToken }),
      });
    },
    async revoke(refreshToken) {
      const config = await configuration();
      if (config.serverMetadata().revocation_endpoint) await client.tokenRevocation(config, refreshToken);
    },
  };
}

const tokensIn = (answer: client.TokenEndpointResponse): Tokens => ({
  accessToken: answer.access_token,
  ...(answer.refresh_token === undefined ? {} : { refreshToken: answer.refresh_token }),
  ...(answer.id_token === undefined ? {} : { idToken: answer.id_token }),
});

/** The IAM said no (login-failed), or said nothing or that it is broken (iam-unreachable). */
function refusal(error: unknown): PortalError {
  if (error instanceof PortalError) return error;
  if (statusOf(error) >= 500)
    return new PortalError('iam-unreachable', { cause: error, detail: String(error), retryAfterSeconds: 5 });
  const said =
    error instanceof client.ResponseBodyError || error instanceof client.AuthorizationResponseError
      ? (error.error_description ?? error.error)
      : undefined;
  if (said !== undefined)
    return new PortalError('login-failed', {
      message: `The login service answered: ${said}`,
      cause: error,
      detail: said,
    });
  const network = error instanceof TypeError || (error instanceof client.ClientError && error.code === 'OAUTH_TIMEOUT');
  return new PortalError(network ? 'iam-unreachable' : 'login-failed', { cause: error, detail: String(error) });
}

/** Status of the IAM's answer that an error is about; 0 for none. */
function statusOf(error: unknown): number {
  if (error instanceof client.ResponseBodyError) return error.status;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Response ? cause.status : 0;
}
