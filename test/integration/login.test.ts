// Logging in by OpenID Connect against the embedded issuer: what works, and what a forged or late answer gets.
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { LoginView, Me } from '../../contract/api.ts';
import { testApp, type TestApp } from '../kit/app.ts';
import { Client } from '../kit/http.ts';
import { Person } from '../kit/person.ts';

let site: TestApp;
beforeAll(async () => {
  site = await testApp();
});
afterAll(() => site.close());

const hour = 3_600_000;
/** The way to the issuer and back, stopped before the callback is opened. */
async function callbackOf(person: Person, username = 'ada'): Promise<URL> {
  const form = await person.client.get(`${site.portal}/auth/login`, { follow: 5, navigate: true });
  const action = /<form[^>]*action="([^"]+)"/.exec(form.text)![1]!;
  let at = await person.client.ask(new URL(action, form.url).href, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: site.portal },
    body: new URLSearchParams({ username, password: site.passwords.get(username)! }).toString(),
  });
  for (;;) {
    const next = new URL(at.headers.location!, at.url);
    if (next.pathname === '/auth/callback') return next;
    at = await person.client.get(next.href, { navigate: true });
  }
}
const open = (person: Person, url: URL) => person.client.get(url.href, { navigate: true });

test('ada logs in, arrives where she wanted to go, and is who the claims say', async () => {
  const person = new Person(site.port);
  const answer = await person.logIn('ada', site.passwords.get('ada')!, '/account?from=mail');
  expect(answer.status).toBe(200);
  expect(answer.url.pathname + answer.url.search).toBe('/account?from=mail');
  expect((await person.get('/api/me')).json<Me>()).toMatchObject({
    name: 'Ada Lovelace',
    email: 'ada@example.org',
    groups: ['staff', 'hpc-users'],
    isAdmin: false,
    quota: { sessions: 5, sessionsUsed: 0 },
  });
});

test('the login cookie is __Host-, HttpOnly, Secure, SameSite=Lax, and its value is in no row', async () => {
  const person = new Person(site.port);
  const callback = await callbackOf(person);
  const answer = await open(person, callback);
  const cookie = answer.headers['set-cookie']!.find((line) => line.startsWith('__Host-ls-login='))!;
  expect(cookie).toMatch(/^__Host-ls-login=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure$/);
});

test.each([
  ['https://evil.example/', '/'],
  ['//evil.example/', '/'],
  ['/\\evil.example', '/'],
  ['/\t/evil.example', '/'],
  ['javascript:alert(1)', '/'],
  ['/account#part', '/account'],
])('a login asked to lead to %j leads to %j', async (to, expected) => {
  const person = new Person(site.port);
  const answer = await person.logIn('ada', site.passwords.get('ada')!, to);
  expect(answer.url.host).toBe(`localhost:${site.port}`);
  expect(answer.url.pathname).toBe(expected);
});

test('a wrong password gets the form again with a reason, and no login', async () => {
  const person = new Person(site.port);
  const answer = await person.logIn('ada', 'wrong');
  expect(answer.status).toBe(401);
  expect(answer.text).toContain('role="alert"');
  expect((await person.get('/api/me')).status).toBe(401);
});

test('without a login the API says not-logged-in and nothing else', async () => {
  const answer = await new Person(site.port).get('/api/me');
  expect(answer.status).toBe(401);
  expect(answer.headers['content-type']).toContain('application/problem+json');
  expect(answer.json()).toMatchObject({ code: 'not-logged-in' });
});

test('a callback used twice is refused the second time: login-state-unknown', async () => {
  const person = new Person(site.port);
  const callback = await callbackOf(person);
  expect((await open(person, callback)).status).toBe(303);
  const again = await open(person, callback);
  expect(again.status).toBe(400);
  expect(again.text).toContain('login-state-unknown');
});

test('a callback opened in another browser is refused, and stays good for the browser that began', async () => {
  const person = new Person(site.port);
  const callback = await callbackOf(person);
  const other = new Person(site.port);
  const stolen = await open(other, callback);
  expect(stolen.status).toBe(400);
  expect(stolen.text).toContain('login-state-unknown');
  expect(other.client.cookieHeader('localhost')).not.toContain('ls-login');
  expect((await open(person, callback)).status).toBe(303);
});

test('a browser cannot be logged in as somebody else: the state of one attempt does not fit the code of another', async () => {
  const [victim, attacker] = [new Person(site.port), new Person(site.port)];
  const [mine, theirs] = [await callbackOf(victim), await callbackOf(attacker, 'bela')];
  mine.searchParams.set('code', theirs.searchParams.get('code')!);
  const mixed = await open(victim, mine);
  expect(mixed.status).toBe(502);
  expect(mixed.text).toContain('login-failed');
  expect(victim.client.cookieHeader('localhost')).not.toContain('ls-login');
});

test('an unknown state, and none, are refused', async () => {
  for (const query of ['?code=x&state=unknown', '?code=x', '']) {
    const answer = await open(new Person(site.port), new URL(`${site.portal}/auth/callback${query}`));
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('login-state-unknown');
  }
});

test('an attempt is over after 15 minutes', async () => {
  const person = new Person(site.port);
  const callback = await callbackOf(person);
  site.clock.advance(15 * 60_000 + 1000);
  const answer = await open(person, callback);
  expect(answer.status).toBe(400);
  expect(answer.text).toContain('login-state-unknown');
});

test('an error from the issuer is told, without its text in the page', async () => {
  const person = new Person(site.port);
  const callback = await callbackOf(person);
  const state = callback.searchParams.get('state')!;
  const answer = await open(
    person,
    new URL(`${site.portal}/auth/callback?error=access_denied&error_description=<b>no</b>&state=${state}`),
  );
  expect(answer.status).toBe(502);
  expect(answer.text).not.toContain('<b>no</b>');
});

test.each(['', 'x', 'a'.repeat(43), `${'a'.repeat(42)}%00`])('a forged login cookie %j is nobody', async (value) => {
  const client = new Client(site.port);
  const answer = await client.get(`${site.portal}/api/me`, { headers: { cookie: `__Host-ls-login=${value}` } });
  expect(answer.status).toBe(401);
});

test('a login slides with what a person does, not with what a page polls, and ends after 12 idle hours', async () => {
  const person = await site.person('ada');
  site.clock.advance(8 * hour);
  expect((await person.post('/api/sessions', {})).status).toBe(400); // an act, although a refused one
  site.clock.advance(8 * hour);
  expect((await person.get('/api/me')).status).toBe(200); // 8 h after the act; a look
  site.clock.advance(5 * hour);
  expect((await person.get('/api/me')).status).toBe(401); // 13 h after the act, 5 h after the look
});

test('a login ends after 7 days however busy it is', async () => {
  const person = await site.person('ada');
  for (let hours = 0; hours < 7 * 24 - 8; hours += 8) {
    site.clock.advance(8 * hour);
    expect((await person.post('/api/sessions', {})).status).toBe(400);
  }
  site.clock.advance(9 * hour);
  expect((await person.get('/api/me')).status).toBe(401);
});

test('I see my logins and end another of mine at once; nobody else can', async () => {
  const [here, there, bela] = [await site.person('ada'), await site.person('ada'), await site.person('bela')];
  const { items } = (await here.get('/api/logins')).json<{ items: LoginView[] }>();
  expect(items.filter((login) => login.isThis)).toHaveLength(1);
  const other = (await there.get('/api/me')).json<Me>().loginId;
  expect(items.map((login) => login.id)).toContain(other);
  const foreign = await bela.delete(`/api/logins/${other}`);
  expect([foreign.status, foreign.json()['code']]).toEqual([404, 'login-not-found']);
  expect((await there.get('/api/me')).status).toBe(200);
  expect((await here.delete(`/api/logins/${other}`)).status).toBe(204);
  expect((await there.get('/api/me')).status).toBe(401);
  expect((await here.get('/api/me')).status).toBe(200);
});

test('logging out ends the login here and at the issuer: the next login asks for the password again', async () => {
  const person = await site.person('ada');
  const { client } = person;
  expect((await client.ask(`${site.portal}/auth/logout`, { method: 'POST' })).status).toBe(403);
  const out = await client.ask(`${site.portal}/auth/logout`, {
    method: 'POST',
    headers: { origin: site.portal },
    follow: 1,
    navigate: true,
  });
  expect(out.url.pathname).toBe('/iam/session/end');
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(out.text)![1]!;
  const end = await client.ask(`${site.portal}/iam/session/end/confirm`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: site.portal },
    body: new URLSearchParams({ xsrf, logout: 'yes' }).toString(),
  });
  expect(end.headers.location).toMatch(new RegExp(`^${site.portal}/`));
  expect((await person.get('/api/me')).status).toBe(401);
  const form = await client.get(`${site.portal}/auth/login`, { follow: 5, navigate: true });
  expect(form.url.pathname).toMatch(/^\/iam\/interaction\//);
});

test('a form of a page that hides where it came from counts by Sec-Fetch-Site alone', async () => {
  const person = await site.person('ada');
  const post = (fetchSite: string) =>
    person.client.ask(`${site.portal}/auth/logout`, {
      method: 'POST',
      headers: { origin: 'null', 'sec-fetch-site': fetchSite },
    });
  for (const fetchSite of ['cross-site', 'same-site', 'none']) expect((await post(fetchSite)).status).toBe(403);
  expect((await person.get('/api/me')).status).toBe(200);
  expect((await post('same-origin')).status).toBe(303);
  expect((await person.get('/api/me')).status).toBe(401);
});

test('the login page of an interaction that is over says so: iam-interaction-unknown', async () => {
  const answer = await new Client(site.port).get(`${site.portal}/iam/interaction/never-was`, { navigate: true });
  expect(answer.status).toBe(400);
  expect(answer.text).toContain('iam-interaction-unknown');
});

test('many wrong passwords for one name are slowed down: rate-limited', async () => {
  const person = new Person(site.port);
  const form = await person.client.get(`${site.portal}/auth/login`, { follow: 5, navigate: true });
  let last = await person.submit(form, 'cora', 'wrong');
  for (let tries = 1; tries < 30 && last.status !== 429; tries++) last = await person.submit(form, 'cora', 'wrong');
  expect(last.status).toBe(429);
  expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
});

test('logins that are begun too fast from one address are refused there, and nowhere else: rate-limited', async () => {
  const busy = await testApp({ trustProxy: ['127.0.0.1'] });
  onTestFinished(() => busy.close());
  const begin = (address: string, navigate = true) =>
    new Client(busy.port).get(`${busy.portal}/auth/login`, { navigate, headers: { 'x-forwarded-for': address } });
  for (let times = 0; times < 60; times++) expect((await begin('192.0.2.1')).status).toBe(303);
  const page = await begin('192.0.2.1');
  expect([page.status, page.headers['content-type']]).toEqual([429, 'text/html; charset=utf-8']);
  expect(page.text).toContain('rate-limited');
  expect(Number(page.headers['retry-after'])).toBeGreaterThan(0);
  expect(page.headers['set-cookie']).toBeUndefined();
  const problem = await begin('192.0.2.1', false);
  expect([problem.status, problem.json()['code']]).toEqual([429, 'rate-limited']);
  expect((await begin('192.0.2.2')).status).toBe(303);
});

test('logs and audit rows hold no token, password, cookie or code', async () => {
  const person = await site.person('ada');
  const secrets = [
    ...site.passwords.values(),
    // The number of an interaction stands in its address; its signature does not.
    ...[...person.client.jar.get('localhost')!]
      .filter(([name, value]) => value.length >= 20 && !/^ls-iam-(?:interaction|resume)$/.test(name))
      .map(([, value]) => value),
  ];
  expect(secrets.length).toBeGreaterThan(3);
  const text = site.logged.join('');
  expect(text.length).toBeGreaterThan(1000);
  for (const value of secrets) expect(text).not.toContain(value);
  expect(text).not.toMatch(/[?&](?:code|state)=[\w-]{20}/);
});
