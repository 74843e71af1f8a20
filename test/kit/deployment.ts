// A deployment as an operator makes it: TLS by an own authority, an external issuer, portal and sessions on two registrable
// domains that exist nowhere, and a Chromium that trusts the authority and finds the names.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright/test';
import { chromiumArguments, chromiumPath } from './chromium.ts';
import { makeAuthority } from './certificates.ts';
import { testIssuer, type TestIssuer } from './issuer.ts';
import { freePort } from './ports.ts';
import { startServer, type TestServer } from './server.ts';

export interface Deployment {
  server: TestServer;
  issuer: TestIssuer;
  browser: Browser;
  tls: { certFile: string; keyFile: string };
  /** Replaces certificate and key by new ones. */
  renew(): void;
  /** Presses the button, fills in the login page, and arrives at home. */
  logIn(page: Page, username: string): Promise<void>;
  close(): Promise<void>;
}

const portalName = 'portal.linkspan-one.test';
const sessionDomain = 'sessions.linkspan-two.test';

export async function startDeployment(): Promise<Deployment> {
  // Not below /tmp: that is hidden in a sandbox in any case.
  const folder = mkdtempSync('/var/tmp/ls-deployment-');
  const closers: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const one of closers.splice(0).reverse()) await one();
  };
  try {
    const authority = makeAuthority(folder);
    const tls = { certFile: path.join(folder, 'tls/cert.pem'), keyFile: path.join(folder, 'tls/key.pem') };
    mkdirSync(path.dirname(tls.keyFile), { mode: 0o700 });
    const renew = (): void => authority.issue([portalName, `*.${sessionDomain}`], tls);
    renew();

    const [port, agentPort] = [await freePort(), await freePort()];
    const issuer = await testIssuer(`https://${portalName}:${port}`);
    closers.push(() => issuer.close());
    const server = await startServer({
      below: folder,
      port,
      config: {
        listen: { agentPort },
        publicUrl: `https://${portalName}:${port}`,
        sessionDomain,
        tls,
        issuer: issuer.settings,
        access: { allow: [{ groups: { any: ['staff'] } }] },
      },
    });
    closers.push(() => server.close());
    const browser = await chromium.launch({
      executablePath: chromiumPath,
      args: [
        ...chromiumArguments,
        '--host-resolver-rules=MAP *.linkspan-one.test 127.0.0.1, MAP *.linkspan-two.test 127.0.0.1',
      ],
      env: { ...process.env, HOME: trustIn(folder, authority.file) } as Record<string, string>,
    });
    closers.push(() => browser.close());
    return {
      server,
      issuer,
      browser,
      tls,
      renew,
      close,
      async logIn(page, username) {
        await page.goto(`${server.portal}/`);
        await page.getByRole('link', { name: /log in/i }).click();
        await page.getByLabel('Name').fill(username);
        await page.getByLabel('Password').fill(issuer.passwords.get(username)!);
        await page.getByRole('button', { name: 'Log in' }).click();
        await page.waitForURL(`${server.portal}/`);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A home folder whose NSS database, which Chromium reads, trusts the authority. @returns its path */
function trustIn(folder: string, authorityFile: string): string {
  const home = path.join(folder, 'browser');
  const database = path.join(home, '.pki/nssdb');
  mkdirSync(database, { recursive: true });
  const certutil = (...words: string[]): void =>
    void execFileSync('certutil', ['-d', `sql:${database}`, ...words], { stdio: 'pipe' });
  certutil('-N', '--empty-password');
  certutil('-A', '-t', 'C,,', '-n', 'Test CA', '-i', authorityFile);
  return home;
}
