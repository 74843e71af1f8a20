// What is printed besides our own lines: nothing of the embedded issuer where it is not used.
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { packageRoot } from '../kit/app.ts';
import { folder } from '../kit/folder.ts';
import { freePort } from '../kit/ports.ts';
import { until } from '../kit/until.ts';

function linkspan(args: string[], env: Record<string, string> = {}) {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', path.join(packageRoot, 'server/main.ts'), ...args],
    { cwd: packageRoot, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } },
  );
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let said = '';
  child.stdout?.on('data', (part: Buffer) => (said += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (said += part.toString()));
  return { child, ended, said: () => said };
}

test('a command that needs no login service does not load one', async () => {
  const { ended, said } = linkspan(['sessions', '--help']);
  expect(await ended).toBe(0);
  expect(said()).toContain('Usage: linkspan sessions');
  expect(said()).not.toContain('oidc-provider');
});

test('a server with an external issuer does not load the embedded one', async () => {
  const { child, ended, said } = linkspan(['serve', '--data-dir', folder(), '--port', String(await freePort())], {
    LINKSPAN_ISSUER_URL: `http://localhost:${await freePort()}`,
    LINKSPAN_ISSUER_CLIENT_ID: 'x',
    LINKSPAN_ISSUER_CLIENT_SECRET: 'y',
  });
  await until(() => said().includes('Linkspan is ready'), 'the start');
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(said()).not.toContain('oidc-provider');
});
