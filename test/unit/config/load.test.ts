// linkspan.yaml, LINKSPAN_* and flags: which wins, and what a mistake says.
import { expect, test } from 'vitest';
import { loadConfig, type ConfigSource } from '../../../server/config/load.ts';
import { folder } from '../../kit/folder.ts';

const load = (files: Record<string, string>, more: Partial<ConfigSource> = {}) =>
  loadConfig({ env: {}, flags: {}, directory: folder(files), ...more });

test('without a file everything has its default', () => {
  expect(load({})).toMatchObject({ listen: { host: '127.0.0.1', port: 8000 }, dataDir: '.linkspan', sharedUid: false });
});

test('flags win over the environment, the environment over the file', () => {
  const files = { 'linkspan.yaml': 'listen: { port: 1001 }\nquota: { sessionsPerUser: 2 }\nlog: { level: warn }\n' };
  const env = { LINKSPAN_LISTEN_PORT: '1002', LINKSPAN_QUOTA_SESSIONS_PER_USER: '3' };
  const config = load(files, { env, flags: { 'listen.port': 1003 } });
  expect([config.listen.port, config.quota.sessionsPerUser, config.log.level]).toEqual([1003, 3, 'warn']);
});

test('a file that is named must exist; the usual one need not', () => {
  expect(() => load({}, { file: 'mine.yaml' })).toThrow(/mine\.yaml:1:1: does not exist/);
  expect(() => load({}, { env: { LINKSPAN_CONFIG: 'mine.yaml' } })).toThrow(/mine\.yaml:1:1: does not exist/);
});

test.each([
  ['listen:\n  prot: 8000\n', ':2:3: listen.prot: is not a known key'],
  ['listen:\n  port: eighty\n', ':2:9: listen.port: must be a number (found "eighty")'],
  ['listen: { port: 70000 }\n', ':1:17: listen.port: '],
  ['quota:\n  sessionsPerUser: -1\n', ':2:20: quota.sessionsPerUser: '],
  ['issuer:\n  url: not a url\n  clientId: x\n', ':2:8: issuer.url: '],
  ['- just\n- a list\n', ':1:1: file: must hold keys'],
  ['a: b: c\n', ':1:4: '],
  [
    'access:\n  allow:\n    - claim: email\n      matches: "(a"\n',
    ':4:16: access.allow.0.matches: is no regular expression: Unterminated group (found "(a")',
  ],
  ['access: { admins: [{ claim: a, matches: "a)|(b" }] }\n', 'access.admins.0.matches: is no regular expression: '],
  ['logins: { trustSeconds: 60 }\n', ':1:25: logins.trustSeconds: must not be less than logins.recheckSeconds'],
])('%j is told with line and column', (text, expected) => {
  expect(() => load({ 'linkspan.yaml': text })).toThrow(expected);
});

test.each([
  ['issuer: { url: "https://iam.example.org", clientId: x, clientSecret: 31337133 }\n', 'issuer.clientSecret: must be'],
  ['metrics: { token: 31337133 }\n', 'metrics.token: must be'],
  ['metrics: { token: "31337133" }\n', 'metrics.token: Too small'],
  ['database: [31337133]\n', 'database: must be'],
  ['issuer: [{ clientSecret: 31337133 }]\n', 'issuer: must be'],
  ['issuer: { clientSecret: [*31337133] }\n', ':1:'],
  ['metrics: { token: "31337133"31337133 }\n', ':1:'],
])('%j is told without the secret', (text, expected) => {
  const attempt = () => load({ 'linkspan.yaml': text });
  expect(attempt).toThrow(expected);
  expect(attempt).not.toThrow('31337133');
});

test.each([
  ['LINKSPAN_METRICS_TOKEN', 'metrics.token: Too small'],
  ['LINKSPAN_ISSUER_CLIENT_SECRET', 'issuer.url: '],
  ['LINKSPAN_METRICS_TOKENS', 'LINKSPAN_METRICS_TOKENS: is no setting'],
])('%s is told without its value', (name, expected) => {
  const attempt = () => load({}, { env: { [name]: '31337133' } });
  expect(attempt).toThrow(expected);
  expect(attempt).not.toThrow('31337133');
});

test('a wrong variable or flag is told by its key', () => {
  expect(() => load({}, { env: { LINKSPAN_LISTEN_PORT: '70000' } })).toThrow(/listen\.port: .*environment or a flag/);
  expect(() => load({}, { flags: { 'listen.port': Number.NaN } })).toThrow(/listen\.port: .*environment or a flag/);
});

test('secrets may stand in files of their own, found from the file of the configuration', () => {
  const directory = folder({
    'etc/linkspan.yaml':
      'issuer: { url: "https://iam.example.org", clientId: x, clientSecretFile: secret }\nmetrics: { tokenFile: token }\n',
    'etc/secret': 'the secret\n',
    'etc/token': '0123456789abcdef\n',
  });
  const config = loadConfig({ file: 'etc/linkspan.yaml', env: {}, flags: {}, directory });
  expect([config.issuer?.clientSecret, config.metrics.token]).toEqual(['the secret', '0123456789abcdef']);
});

test('a file of a secret that cannot be read is named with its key', () => {
  const text = 'issuer: { url: "https://iam.example.org", clientId: x, clientSecretFile: gone }\n';
  const directory = folder({ 'linkspan.yaml': text });
  expect(() => loadConfig({ env: {}, flags: {}, directory })).toThrow(
    /issuer\.clientSecretFile: 'gone' cannot be read/,
  );
});
