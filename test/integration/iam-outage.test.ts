// An issuer that is not ours: whom its groups let in, and what goes on when it is away, silent, half broken or takes rights back.
import { expect, onTestFinished, test } from 'vitest';
import type { Me } from '../../contract/api.ts';
import { testApp, type TestApp } from '../kit/app.ts';
import { Client, type Answer } from '../kit/http.ts';
import { testIssuer, type TestIssuer } from '../kit/issuer.ts';
import { Person } from '../kit/person.ts';
import { freePort } from '../kit/ports.ts';

const minute = 60_000;
const staffOnly = { allow: [{ groups: { any: ['staff'] } }] };

interface Outage {
  site: TestApp;
  issuer: TestIssuer;
  /** Somebody at the portal, before logging in. */
  somebody: () => Person;
  /** Somebody who has logged in. */
  person: (username: string) => Promise<Person>;
  logIn: (person: Person, username: string) => Promise<Answer>;
}

async function outage(config: Record<string, unknown> = {}, before?: (issuer: TestIssuer) => Promise<void>) {
  const port = await freePort();
  const issuer = await testIssuer(`http://localhost:${port}`);
  onTestFinished(() => issuer.close());
  await before?.(issuer);
  const site = await testApp({ issuer: issuer.settings, access: staffOnly, ...config }, undefined, port);
  onTestFinished(() => site.close());
  const somebody = () => new Person(port, site.portal, [Number(new URL(issuer.settings.url).port)]);
  const logIn = (person: Person, username: string) => person.logIn(username, issuer.passwords.get(username)!);
  const made: Outage = {
    site,
    issuer,
    somebody,
    logIn,
    person: async (username) => {
      const person = somebody();
      const answer = await logIn(person, username);
      if (answer.status !== 200) throw new Error(`${username} could not log in: ${answer.status} ${answer.text}`);
      return person;
    },
  };
  return made;
}

const cookiesOf = (person: Person): string => person.client.cookieHeader('localhost');
const reasonsIn = (site: TestApp): unknown[] =>
  site.logged
    .map((line) => JSON.parse(line) as { msg: string; reason?: string })
    .flatMap(({ msg, reason }) => (msg === 'login ended' ? [reason] : []));

test('somebody whom the rules do not let in gets a page that names the rules and her groups, and no cookie: login-refused', async () => {
  const { issuer, somebody, logIn, site } = await outage();
  await issuer.setGroups('cora', ['guests', '<b>bold</b>']);
  const cora = somebody();
  const answer = await logIn(cora, 'cora');
  expect(answer.status).toBe(403);
  expect(answer.headers['content-type']).toContain('text/html');
  for (const words of ['Cora Diaz', 'a member of staff', 'Your groups: guests, &lt;b&gt;', 'login-refused'])
    expect(answer.text).toContain(words);
  expect(cookiesOf(cora)).not.toContain('ls-login');
  expect((await cora.get('/api/me')).status).toBe(401);
  expect(site.logged.join('')).not.toContain('login ended');
});

test('without any rule nobody gets in, and the page says so', async () => {
  const { somebody, logIn } = await outage({ access: {} });
  const ada = somebody();
  const answer = await logIn(ada, 'ada');
  expect(answer.status).toBe(403);
  expect(answer.text).toContain('No rules have been set up yet, so nobody gets in');
  expect(cookiesOf(ada)).not.toContain('ls-login');
});

test('an issuer that is away at the start is told on a page, and needs no restart when it comes: iam-unreachable', async () => {
  const { site, issuer, somebody, logIn } = await outage({}, (one) => one.goAway());
  const page = await somebody().client.get(`${site.portal}/auth/login`, { navigate: true });
  expect([page.status, page.headers['content-type']]).toEqual([503, 'text/html; charset=utf-8']);
  expect(page.text).toContain('iam-unreachable');
  expect(Number(page.headers['retry-after'])).toBeGreaterThan(0);
  const problem = await new Client(site.port).get(`${site.portal}/auth/login`);
  expect([problem.status, problem.json()['code']]).toEqual([503, 'iam-unreachable']);
  await issuer.comeBack();
  site.clock.advance(5000);
  expect((await logIn(somebody(), 'ada')).status).toBe(200);
});

test('an issuer that breaks in the middle of a login is told as such, not as a failed login', async () => {
  const { issuer, somebody, logIn } = await outage();
  const mend = issuer.disturb(/^\/iam\/me$/, 503);
  const answer = await logIn(somebody(), 'ada');
  expect(answer.status).toBe(503);
  expect(answer.text).toContain('iam-unreachable');
  mend();
  expect((await logIn(somebody(), 'ada')).status).toBe(200);
});

test('while the issuer is away a running session and the API go on; a group that was lost meanwhile ends login and entries when it is back', async () => {
  const { site, issuer, person } = await outage();
  const ada = await person('ada');
  const session = await ada.ready((await ada.start()).id);
  expect((await ada.enter(`${session.url}lab`)).status).toBe(200);
  const app = () => ada.client.get(`${session.url}api/status`);

  await issuer.goAway();
  site.clock.advance(3 * 60 * minute);
  expect((await ada.get('/api/me')).status).toBe(200);
  expect((await app()).status).toBe(200);
  expect((await ada.post('/api/sessions', {})).status).toBe(400);

  await issuer.setGroups('ada', []);
  await issuer.comeBack();
  site.clock.advance(minute);
  expect((await ada.get('/api/me')).status).toBe(401);
  expect(reasonsIn(site)).toEqual(['no-longer-allowed']);
  const shut = await app();
  expect([shut.status, shut.json()['code']]).toEqual([401, 'entry-required']);
});

test('an issuer that hangs costs one short wait, not one per request', async () => {
  const { site, issuer, person } = await outage();
  const ada = await person('ada');
  issuer.disturb(/./, 'silence');
  site.clock.advance(16 * minute);
  const began = performance.now();
  const together = await Promise.all(Array.from({ length: 5 }, () => ada.get('/api/me')));
  expect(together.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  expect(performance.now() - began).toBeLessThan(4000);
  const then = performance.now();
  for (let requests = 0; requests < 10; requests++) expect((await ada.get('/api/me')).status).toBe(200);
  expect(performance.now() - then).toBeLessThan(1000);
});

test('groups that change are known after the next question, within the time to recheck', async () => {
  const { site, issuer, person } = await outage();
  const ada = await person('ada');
  await issuer.setGroups('ada', ['staff', 'new']);
  site.clock.advance(14 * minute);
  expect((await ada.get('/api/me')).json<Me>().groups).toEqual(['staff', 'hpc-users']);
  site.clock.advance(minute);
  expect((await ada.get('/api/me')).json<Me>().groups).toEqual(['staff', 'new']);
});

test('a login counts only while the last good answer is younger than the limit, and counts again after the next one', async () => {
  const { site, issuer, person } = await outage({ logins: { trustSeconds: 3600 } });
  const ada = await person('ada');
  await issuer.goAway();
  site.clock.advance(59 * minute);
  expect((await ada.get('/api/me')).status).toBe(200);
  site.clock.advance(minute);
  expect((await ada.get('/api/me')).status).toBe(401);
  await issuer.comeBack();
  site.clock.advance(minute);
  expect((await ada.get('/api/me')).status).toBe(200);
  expect(reasonsIn(site)).toEqual([]);
});

test('a token that was rotated is kept although the claims could not be read afterwards', async () => {
  const { site, issuer, person } = await outage();
  const ada = await person('ada');
  const mend = issuer.disturb(/^\/iam\/me$/, 503);
  site.clock.advance(16 * minute);
  expect((await ada.get('/api/me')).status).toBe(200);
  mend();
  await issuer.setGroups('ada', ['staff', 'new']);
  site.clock.advance(16 * minute);
  expect((await ada.get('/api/me')).json<Me>().groups).toEqual(['staff', 'new']);
  expect(reasonsIn(site)).toEqual([]);
});

test('a refresh token that the issuer does not know any more ends the login', async () => {
  const { site, issuer, person } = await outage();
  const ada = await person('ada');
  await issuer.forgetTokens();
  site.clock.advance(16 * minute);
  expect((await ada.get('/api/me')).status).toBe(401);
  expect(reasonsIn(site)).toEqual(['iam-ended']);
});
