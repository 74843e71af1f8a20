// Entering a session over TLS, with portal and sessions on two registrable domains: each way in, each refusal, and a new certificate.
import tls from 'node:tls';
import { expect, test, type BrowserContext, type Page, type WebSocket } from 'playwright/test';
import { startDeployment, type Deployment } from '../kit/deployment.ts';
import { labIsUp, newNotebook, runCell, startLab } from '../kit/pages.ts';
import { until } from '../kit/until.ts';

let site: Deployment;
/** A session of ada that is ready. */
let session: string;
test.beforeAll(async () => {
  site = await startDeployment();
  const page = await personAt('ada');
  session = await startLab(page);
  await page.context().close();
});
test.afterAll(() => site?.close());
const contexts: BrowserContext[] = [];
test.afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
});

async function personAt(username: string): Promise<Page> {
  const context = await site.browser.newContext();
  contexts.push(context);
  const page = await context.newPage();
  await site.logIn(page, username);
  return page;
}

/** Opens the session, but stops the browser before it redeems its code. @returns the address with the code */
async function wayIn(page: Page): Promise<string> {
  const found: string[] = [];
  const debug = await page.context().newCDPSession(page);
  debug.on('Fetch.requestPaused', ({ request, requestId }) => {
    found.push(request.url);
    void debug.send('Fetch.failRequest', { requestId, errorReason: 'Aborted' });
  });
  await debug.send('Fetch.enable', { patterns: [{ urlPattern: '*/.linkspan/enter?*' }] });
  await page.goto(`${session}/lab`).catch(() => undefined); // it is aborted
  await debug.detach();
  expect(found).toHaveLength(1);
  return found[0]!;
}
const codeOf = (page: Page) => page.locator('small').first();

test('the entry cookie is Secure, HttpOnly, Lax and for its host only, and no address keeps the code', async () => {
  const page = await personAt('ada');
  const addresses: string[] = [];
  page.on('framenavigated', (frame) => addresses.push(frame.url()));
  await page.goto(`${session}/lab`);
  await labIsUp(page);
  const cookies = await page.context().cookies(session);
  const entry = cookies.find((cookie) => cookie.name === '__Host-ls');
  expect(entry).toMatchObject({
    domain: new URL(session).hostname,
    path: '/',
    secure: true,
    httpOnly: true,
    sameSite: 'Lax',
  });
  expect((await page.context().cookies(site.server.portal)).map((cookie) => cookie.name)).toContain('__Host-ls-login');
  expect(addresses.filter((url) => url.includes('code='))).toEqual([]);
  await page.reload();
  await labIsUp(page);
  expect(new URL(page.url()).pathname).toMatch(/^\/lab/);
});

test('two tabs that open the session at the same time both get Lab', async () => {
  const first = await personAt('ada');
  const second = await first.context().newPage();
  await Promise.all([first, second].map((page) => page.goto(`${session}/lab`)));
  for (const page of [first, second]) await labIsUp(page);
});

test('a code used twice lets whoever is in go on, and nobody else in', async () => {
  const page = await personAt('ada');
  const code = await wayIn(page);
  await page.goto(code);
  await labIsUp(page);
  await page.goto(code);
  await labIsUp(page);
  expect(page.url()).not.toContain('code=');
  await page.context().clearCookies({ name: '__Host-ls' });
  const answer = await page.goto(code);
  expect(answer!.status()).toBe(403);
  await expect(codeOf(page)).toHaveText('entry-code-invalid');
});

test("a code of another browser does not put anybody into somebody else's session, and is used up", async () => {
  const [attacker, victim] = [await personAt('ada'), await personAt('bela')];
  const code = await wayIn(attacker);
  const answer = await victim.goto(code);
  expect(answer!.status()).toBe(403);
  await expect(victim.getByRole('heading', { name: 'This session is not open to you' })).toBeVisible();
  expect((await victim.context().cookies(session)).map((cookie) => cookie.name)).not.toContain('__Host-ls');
  await attacker.goto(code);
  await expect(codeOf(attacker)).toHaveText('entry-code-invalid');
});

test('a browser that lost its state cookie enters anew by itself', async () => {
  const page = await personAt('ada');
  const code = await wayIn(page);
  await page.context().clearCookies({ name: '__Host-ls-state' });
  await page.goto(code);
  await labIsUp(page);
});

test('after logging out the session asks for a login, and an open Lab is cut', async () => {
  const page = await personAt('ada');
  await page.goto(`${session}/lab`);
  await labIsUp(page);
  const home = await page.context().newPage();
  await home.goto(`${site.server.portal}/auth/logout`);
  await home.getByRole('button', { name: 'Log out' }).click();
  await home.waitForURL(`${site.server.portal}/`);
  await expect(home.getByRole('link', { name: /log in/i })).toBeVisible();
  expect(await page.evaluate(() => fetch('/api/status').then((answer) => answer.status))).toBe(401);
  await page.goto(`${session}/lab`);
  await expect(page.getByLabel('Password')).toBeVisible();
  expect(new URL(page.url()).origin).toBe(new URL(site.issuer.settings.url).origin);
});

test('a page of a session cannot act at the portal as its visitor, and the portal not at the session', async () => {
  const page = await personAt('ada');
  const post = (url: string): Promise<string> =>
    page.evaluate(
      (address) =>
        fetch(address, {
          method: 'POST',
          credentials: 'include',
          headers: { 'content-type': 'application/json' },
          body: '{"profile":"no-such"}',
        }).then(
          async (answer) => `${answer.status} ${((await answer.json()) as { code?: string }).code}`,
          () => 'refused by the browser',
        ),
      url,
    );
  const blind = (url: string): Promise<void> =>
    page.evaluate(
      (address) =>
        fetch(address, { method: 'POST', mode: 'no-cors', credentials: 'include' }).then(
          () => undefined,
          () => undefined, // what came back is hidden; what arrived there is asked below
        ),
      url,
    );
  const socket = (url: string): Promise<string> =>
    page.evaluate(
      (address) =>
        new Promise<string>((resolve) => {
          const one = new WebSocket(address);
          one.addEventListener('open', () => resolve('open'));
          one.addEventListener('close', () => resolve('refused'));
        }),
      url,
    );
  const events = `${session.replace('https', 'wss')}/api/events/subscribe`;
  const { loginId } = (await page.evaluate(() => fetch('/api/me').then((answer) => answer.json()))) as {
    loginId: string;
  };
  expect(await post('/api/sessions')).toBe('404 profile-unknown'); // the control: from its own page it arrives

  await page.goto(`${session}/lab`);
  await labIsUp(page);
  expect(await socket(events)).toBe('open'); // the control
  expect(await post(`${site.server.portal}/api/sessions`)).toBe('refused by the browser');
  await blind(`${site.server.portal}/auth/logout`);
  await page.goto(site.server.portal);
  const me = await page.evaluate(() => fetch('/api/me').then((answer) => answer.json()));
  expect(me).toMatchObject({ loginId }); // still logged in
  // From a page of another site than both, whose policy does not keep it from trying.
  await page.route('http://localhost:1/', (route) => route.fulfill({ body: 'hello', contentType: 'text/html' }));
  await page.goto('http://localhost:1/');
  expect(await socket(events)).toBe('refused');
});

test('a renewed certificate is used at once, and an open kernel keeps its websocket', async () => {
  const page = await personAt('ada');
  const sockets: WebSocket[] = [];
  page.on('websocket', (socket) => sockets.push(socket));
  await page.goto(`${session}/lab`);
  await labIsUp(page);
  await newNotebook(page);
  expect(await runCell(page, 0, "kept = 'before'; print(kept)")).toBe('before');
  const open = sockets.filter((socket) => !socket.isClosed());
  expect(open.some((socket) => socket.url().includes('/channels'))).toBe(true);
  const fingerprint = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = tls.connect({ port: site.server.port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      });
      socket.on('error', reject);
    });
  const before = await fingerprint();
  site.renew();
  await until(async () => (await fingerprint()) !== before, 'the new certificate');
  expect(await runCell(page, 1, 'print(kept)')).toBe('before');
  expect(open.filter((socket) => socket.isClosed()).map((socket) => socket.url())).toEqual([]);
});

test('somebody whom the rules do not let in is told so, by name and group: login-refused', async () => {
  const context = await site.browser.newContext();
  contexts.push(context);
  const page = await context.newPage();
  await page.goto(`${site.server.portal}/auth/login`);
  await page.getByLabel('Name').fill('cora');
  await page.getByLabel('Password').fill(site.issuer.passwords.get('cora')!);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('heading', { name: 'You are known, but not allowed in here' })).toBeVisible();
  await expect(page.getByRole('main')).toContainText('staff');
  await expect(codeOf(page)).toHaveText('login-refused');
  expect((await context.cookies(site.server.portal)).map((cookie) => cookie.name)).not.toContain('__Host-ls-login');
});
