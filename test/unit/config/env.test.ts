import { expect, test } from 'vitest';
import { overlayEnvironment } from '../../../server/config/env.ts';
import { ConfigError } from '../../../server/config/settings.ts';

test('a variable wins over the file and has the type of its key', () => {
  const result = overlayEnvironment(
    { listen: { port: 1, host: '::1' } },
    {
      LINKSPAN_LISTEN_PORT: '9000',
      LINKSPAN_SHARED_UID: 'true',
      LINKSPAN_TRUST_PROXY: '10.0.0.1, 10.0.0.2',
      LINKSPAN_ISSUER_CLIENT_ID: 'x',
      HOME: '/',
    },
  );
  expect(result).toEqual({
    listen: { port: 9000, host: '::1' },
    sharedUid: true,
    trustProxy: ['10.0.0.1', '10.0.0.2'],
    issuer: { clientId: 'x' },
  });
});

test('a list of objects is written as JSON', () => {
  expect(overlayEnvironment({}, { LINKSPAN_ACCESS_ALLOW: '[{"groups":{"any":["staff"]}}]' })).toEqual({
    access: { allow: [{ groups: { any: ['staff'] } }] },
  });
});

test.each([
  [{ LINKSPAN_LISTEN_PROT: '9000' }, 'LINKSPAN_LISTEN_PROT: is no setting'],
  [{ LINKSPAN_LISTEN_PORT: 'nine' }, "LINKSPAN_LISTEN_PORT: 'nine' is not a number"],
  [{ LINKSPAN_ACCESS_ALLOW: '[{' }, "LINKSPAN_ACCESS_ALLOW: '[{' is not JSON"],
  [{ LINKSPAN_SHARED_UID: 'yes' }, "LINKSPAN_SHARED_UID: 'yes' is not 'true' or 'false'"],
])('%j is refused by name', (env, words) => {
  expect(() => overlayEnvironment({}, env)).toThrow(ConfigError);
  expect(() => overlayEnvironment({}, env)).toThrow(words);
});
