// What no session may see is told to the sandbox: every file with a secret, wherever the configuration puts it.
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../server/config/load.ts';
import { Config } from '../../server/config/schema.ts';
import { settle } from '../../server/config/settings.ts';
import { openDatabase } from '../../server/db/open.ts';
import { systemClock } from '../../server/lib/clock.ts';
import { makeLog } from '../../server/lib/log.ts';
import { makeLocalSite } from '../../server/local-site.ts';
import { packageRoot } from '../kit/app.ts';
import { folder } from '../kit/folder.ts';

const seen = '/etc/ssl/certs/secret.of.linkspan';
const issuer = { url: 'https://iam.example.org', clientId: 'x', clientSecret: 'y' };

async function sandboxWith(config: Record<string, unknown>, configFile?: string): Promise<string> {
  const db = await openDatabase('sqlite::memory:');
  onTestFinished(() => db.destroy());
  const settings = settle(Config.parse({ dataDir: folder(), sharedUid: true, ...config }), 8000, configFile);
  const log = makeLog('silent');
  const { sandbox } = await makeLocalSite({ settings, db, clock: systemClock, log, packageRoot });
  return sandbox.available ? 'available' : sandbox.reason;
}

test.each([
  ['tls.keyFile', { tls: { certFile: '/x/cert.pem', keyFile: seen } }, undefined],
  ['issuer.clientSecretFile', { issuer: { ...issuer, clientSecretFile: seen } }, undefined],
  ['metrics.tokenFile', { metrics: { tokenFile: seen } }, undefined],
  ['the configuration file', {}, seen],
  ['a database outside the data directory', { database: `sqlite:${seen}` }, undefined],
])('%s in a folder that sessions see makes the sandbox unavailable', async (_what, config, configFile) => {
  expect(await sandboxWith(config, configFile)).toContain(`'${seen}' lies in it; move it elsewhere`);
});

test('a public certificate may lie where sessions see it', async () => {
  const tls = { certFile: '/etc/ssl/certs/portal.pem', keyFile: path.join(folder(), 'key.pem') };
  expect(await sandboxWith({ tls })).toBe('available');
});

test('files of secrets are named in full, counted from the folder of the configuration', () => {
  const at = folder({
    'linkspan.yaml': `issuer: { url: "https://iam.example.org", clientId: x, clientSecretFile: keys/client }\nmetrics: { tokenFile: token }\n`,
    'keys/client': 'the-client-secret\n',
    token: 'a-token-of-16-characters\n',
  });
  const config = loadConfig({ file: path.join(at, 'linkspan.yaml'), env: {}, flags: {}, directory: '/' });
  expect(config.issuer).toMatchObject({
    clientSecret: 'the-client-secret',
    clientSecretFile: path.join(at, 'keys/client'),
  });
  expect(config.metrics).toMatchObject({ token: 'a-token-of-16-characters', tokenFile: path.join(at, 'token') });
});
