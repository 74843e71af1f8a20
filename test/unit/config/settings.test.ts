import { expect, test } from 'vitest';
import { Config } from '../../../server/config/schema.ts';
import { ConfigError, settle } from '../../../server/config/settings.ts';

const settleWith = (input: object, port = 8000) => settle(Config.parse(input), port);

/** The problems of a set-up that must be refused. */
function problemsOf(input: object): string {
  try {
    settleWith(input);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
  throw new Error('the set-up was accepted');
}

const wide = {
  listen: { host: '0.0.0.0', port: 443 },
  publicUrl: 'https://portal.example.org',
  sessionDomain: 'sessions.example.net',
  issuer: { url: 'https://iam.example.org', clientId: 'linkspan', clientSecret: 's' },
  tls: { certFile: 'c.pem', keyFile: 'k.pem' },
};

test('the default is the embedded issuer on loopback, with session hosts below localhost', () => {
  const settings = settleWith({});
  expect(settings.embeddedIssuer).toBe(true);
  expect(settings.publicUrl.origin).toBe('http://localhost:8000');
  expect(settings.sessionOrigin('s-abc.localhost')).toBe('http://s-abc.localhost:8000');
  expect(settings.agentUrl.origin).toBe('http://127.0.0.1:8000');
});

test('a complete set-up off loopback is accepted', () => {
  const settings = settleWith(wide, 443);
  expect(settings.embeddedIssuer).toBe(false);
  expect(settings.sessionOrigin('s-abc.sessions.example.net')).toBe('https://s-abc.sessions.example.net');
});

test('demo people on a listener off loopback are refused with what to configure', () => {
  const problems = problemsOf({ listen: { host: '0.0.0.0' } });
  expect(problems).toContain("listen.host: '0.0.0.0' is not loopback");
  expect(problems).toContain('Configure issuer');
});

test('demo people behind a public name are refused although the listener is on loopback', () => {
  expect(
    problemsOf({ publicUrl: 'https://portal.example.org', sessionDomain: 'a.example.net', trustProxy: ['127.0.0.1'] }),
  ).toContain('demo people');
});

test.each([
  ['publicUrl', 'publicUrl: is missing'],
  ['sessionDomain', 'sessionDomain: is missing'],
  ['tls', 'tls: is missing'],
  ['issuer', 'demo people'],
])('off loopback, leaving out %s is refused by name', (key, words) => {
  const { [key]: _left, ...rest } = wide as Record<string, unknown>;
  expect(problemsOf(rest)).toContain(words);
});

test('plain http off loopback is refused', () => {
  expect(problemsOf({ ...wide, publicUrl: 'http://portal.example.org' })).toContain('is not https');
});

test('a session domain on the registrable domain of the portal is refused', () => {
  expect(problemsOf({ ...wide, sessionDomain: 'sessions.example.org' })).toContain("registrable domain 'example.org'");
});

test('a private suffix of the public suffix list counts as a border', () => {
  expect(settleWith({ ...wide, publicUrl: 'https://a.github.io', sessionDomain: 'b.github.io' }).sessionDomain).toBe(
    'b.github.io',
  );
});

test('a name of a pool on the registrable domain of the portal is refused', () => {
  const { sessionDomain: _left, ...rest } = wide;
  expect(problemsOf({ ...rest, sessionHosts: ['s1.example.net', 's2.example.org'] })).toContain(
    "sessionHosts: 's2.example.org'",
  );
});

test('a public address with a path is refused', () => {
  expect(problemsOf({ publicUrl: 'http://localhost:8000/hub' })).toContain('has a path');
});
