// The one schema of linkspan.yaml; the reference page is made from its descriptions.
import { z } from 'zod';

const seconds = (text: string, fallback: number) =>
  z.number().int().positive().default(fallback).describe(`${text} (seconds)`);

/** Alone, as it is used later between anchors: `a)|(b` would escape them. */
function whyNoPattern(text: string): string | undefined {
  try {
    new RegExp(text);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^Invalid regular expression: \/.*\/\w*: /s, '');
  }
}

/** A rule on claims: every given part must hold. */
export const AccessRule = z.strictObject({
  groups: z
    .strictObject({ any: z.array(z.string()).optional(), all: z.array(z.string()).optional() })
    .optional()
    .describe('Groups of which the person needs any, or all.'),
  claim: z
    .string()
    .optional()
    .describe('Dotted path of a claim, for example `email_verified` or `realm_access.roles`.'),
  equals: z
    .union([z.string(), z.number(), z.boolean()])
    .optional()
    .describe('What the claim must equal, or contain when it is a list.'),
  matches: z
    .string()
    .superRefine((text, context) => {
      const wrong = whyNoPattern(text);
      if (wrong !== undefined) context.addIssue(`is no regular expression: ${wrong}`);
    })
    .optional()
    .describe('Anchored regular expression that the claim must match.'),
});
export type AccessRule = z.infer<typeof AccessRule>;

export const Config = z.strictObject({
  listen: z
    .strictObject({
      host: z
        .string()
        .default('127.0.0.1')
        .describe(
          'Address to listen on. Anything but loopback needs publicUrl, sessionDomain (or sessionHosts), issuer and TLS or trustProxy.',
        ),
      port: z.number().int().min(0).max(65_535).default(8000).describe('TCP port; 0 picks a free one.'),
      agentPort: z
        .number()
        .int()
        .min(1)
        .max(65_535)
        .optional()
        .describe('With TLS: plain loopback port for agents of this machine. Default: port + 1.'),
    })
    .prefault({}),
  tls: z
    .strictObject({ certFile: z.string(), keyFile: z.string() })
    .optional()
    .describe('Certificate chain and key (PEM). Reloaded when the files change.'),
  trustProxy: z
    .array(z.string())
    .default([])
    .describe('Addresses or CIDR ranges of proxies whose X-Forwarded-* headers count. Empty: none.'),
  publicUrl: z
    .url()
    .optional()
    .describe('Where browsers find the portal, without a path. Default: http://localhost:<port>.'),
  sessionDomain: z
    .string()
    .optional()
    .describe(
      'Domain below which each session gets its own host, on another registrable domain than publicUrl. Default: localhost.',
    ),
  sessionHosts: z
    .array(z.string())
    .default([])
    .describe('A fixed pool of host names for sessions, where wildcard DNS cannot be had.'),
  agentUrl: z.url().optional().describe('What agents of the built-in site dial. Default: the listener on loopback.'),
  dataDir: z
    .string()
    .default('.linkspan')
    .describe('Directory for the database, keys, homes of local sessions and logs.'),
  database: z.string().optional().describe('`sqlite:<path>` or `postgres://...`. Default: a SQLite file in dataDir.'),
  issuer: z
    .strictObject({
      url: z.url().describe('Issuer URL of the IAM (OpenID Connect discovery).'),
      clientId: z.string(),
      clientSecret: z.string().optional().describe('Or `clientSecretFile`.'),
      clientSecretFile: z.string().optional(),
      clientAuth: z.enum(['client_secret_basic', 'client_secret_post', 'none']).default('client_secret_basic'),
      scopes: z
        .array(z.string())
        .default(['openid', 'profile', 'email'])
        .describe(
          'Add what your IAM needs for groups and for refresh tokens, for example `groups` or `offline_access`.',
        ),
      groupsClaim: z.string().default('groups').describe('Dotted path of the claim that lists groups.'),
      nameClaim: z.string().default('name'),
    })
    .optional()
    .describe('The IAM. Left out: an embedded issuer with demo people, on loopback only.'),
  access: z
    .strictObject({
      allow: z
        .array(AccessRule)
        .optional()
        .describe(
          'Who may log in: any of these rules. Left out with an external issuer: nobody. Left out with demo people: everybody.',
        ),
      admins: z.array(AccessRule).default([]).describe('Who administers: any of these rules.'),
    })
    .prefault({}),
  logins: z
    .strictObject({
      idleSeconds: seconds('A login ends after this time without a page action', 12 * 3600),
      maxSeconds: seconds('A login ends after this time in any case', 7 * 86_400),
      recheckSeconds: seconds('How often rights are asked of the IAM again', 15 * 60),
      trustSeconds: seconds(
        'While the IAM does not answer, a login counts for this time after the last good answer',
        7 * 86_400,
      ),
    })
    .refine(({ recheckSeconds, trustSeconds }) => trustSeconds >= recheckSeconds, {
      path: ['trustSeconds'],
      message: 'must not be less than logins.recheckSeconds',
    })
    .prefault({}),
  quota: z
    .strictObject({
      sessionsPerUser: z.number().int().min(0).default(5).describe('Sessions that a person may have at once.'),
    })
    .prefault({}),
  sharedUid: z
    .boolean()
    .default(false)
    .describe(
      "Allow local sessions without a sandbox although people other than you can reach the server: they can then read each other's files.",
    ),
  sitesFile: z.string().optional().describe('YAML file with sites. Default: the shipped demo.'),
  profilesDir: z.string().optional().describe('Directory of YAML files with profiles. Default: the shipped demo.'),
  homesDir: z.string().optional().describe('Homes of local sessions. Default: homes in dataDir.'),
  python: z
    .string()
    .optional()
    .describe('Python that has JupyterLab, for local sessions. Default: the private environment that setup made.'),
  metrics: z
    .strictObject({
      port: z
        .number()
        .int()
        .min(0)
        .max(65_535)
        .optional()
        .describe('Own loopback listener for /metrics. Left out: /metrics on the portal with the bearer token.'),
      token: z
        .string()
        .min(16)
        .optional()
        .describe('Bearer token for /metrics on the portal. Without port and token /metrics is off there.'),
      tokenFile: z.string().optional(),
    })
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info') })
    .prefault({}),
});
export type Config = z.infer<typeof Config>;
