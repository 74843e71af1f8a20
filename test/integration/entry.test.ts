// Entering a session's host, with the real portal and a real JupyterLab behind the tunnel.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Me, SessionDetail } from '../../contract/api.ts';
import { sha256 } from '../../server/lib/ids.ts';
import { testApp, type TestApp } from '../kit/app.ts';
import { Client, sendRaw } from '../kit/http.ts';
import type { Person } from '../kit/person.ts';

let site: TestApp;
let ada: Person;
let session: SessionDetail;
beforeAll(async () => {
  site = await testApp();
  ada = await site.person('ada');
  session = await ada.ready((await ada.start()).id);
});
afterAll(() => site.close());

const hostOf = (url: string): string => new URL(url).hostname;
/** Follows the entry up to the address that redeems the code, without opening it. */
async function wayIn(person: Person, url = session.url): Promise<URL> {
  let at = await person.client.get(url, { navigate: true });
  for (let hops = 0; hops < 4; hops++) {
    const next = new URL(at.headers.location!, at.url);
    if (next.pathname === '/.linkspan/enter') return next;
    at = await person.client.get(next.href, { navigate: true });
  }
  throw new Error(`no code: ${at.status} ${at.text}`);
}
const fresh = async (username = 'ada'): Promise<Person> => await site.person(username);

test('ada enters, and Lab knows her name and role; the code is in no address that stays', async () => {
  const person = await fresh();
  const page = await person.enter(`${session.url}lab/tree?x=1`);
  expect(page.status).toBe(200);
  expect(page.url.href).toBe(`${session.url}lab/tree?x=1`);
  const me = await person.client.get(`${session.url}api/me`);
  expect(me.json()).toMatchObject({ identity: { display_name: 'Ada Lovelace' } });
});

test('the entry cookie is __Host-, HttpOnly, Secure, SameSite=Lax, and good for its own host only', async () => {
  const person = await fresh();
  const answer = await person.client.get((await wayIn(person)).href, { navigate: true });
  expect(answer.headers['set-cookie']!.find((line) => line.startsWith('__Host-ls='))).toMatch(
    /^__Host-ls=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure$/,
  );
  expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
  const value = person.client.jar.get(hostOf(session.url))!.get('__Host-ls')!;
  const other = await ada.ready((await ada.start()).id);
  const elsewhere = await new Client(site.port).get(`${other.url}api/status`, {
    headers: { cookie: `__Host-ls=${value}` },
  });
  expect([elsewhere.status, elsewhere.json()['code']]).toEqual([401, 'entry-required']);
  await ada.stop(other.id);
});

test('a code works once: the second time it is entry-code-invalid, and whoever is in already just goes on', async () => {
  const person = await fresh();
  const code = await wayIn(person);
  expect((await person.client.get(code.href, { navigate: true })).status).toBe(303);
  const again = await person.client.get(code.href, { navigate: true });
  expect([again.status, again.headers.location]).toEqual([303, '/']);
  person.client.jar.get(code.hostname)!.delete('__Host-ls');
  const without = await person.client.get(code.href, { navigate: true });
  expect(without.status).toBe(403);
  expect(without.text).toContain('entry-code-invalid');
});

test("a code in another browser does not let it in, and is used up: nobody works in somebody else's session unknowingly", async () => {
  const [attacker, victim] = [await fresh(), await fresh('bela')];
  const code = await wayIn(attacker);
  const answer = await victim.client.get(code.href, { navigate: true });
  expect(answer.status).toBe(303);
  expect(answer.headers.location).toBe('/.linkspan/again?to=%2F');
  expect(victim.client.jar.get(code.hostname)?.get('__Host-ls')).toBeUndefined();
  const late = await attacker.client.get(code.href, { navigate: true });
  expect(late.text).toContain('entry-code-invalid');
});

test('a browser that keeps no cookies is told so instead of going round for ever: cookies-blocked', async () => {
  const person = await fresh();
  let at = session.url;
  const answers: string[] = [];
  for (let round = 0; round < 2; round++) {
    const code = await wayIn(person, at);
    person.client.jar.delete(code.hostname);
    const answer = await person.client.get(code.href, { navigate: true });
    answers.push(`${answer.status} ${/<small>([a-z-]+)<\/small>/.exec(answer.text)?.[1] ?? ''}`);
    at = new URL(answer.headers.location ?? '/', code).href;
  }
  expect(answers).toEqual(['303 ', '403 cookies-blocked']);
});

test('a browser that lost its state cookie once enters by itself, and arrives where it wanted to go', async () => {
  const person = await fresh();
  const code = await wayIn(person, `${session.url}lab/tree?x=1`);
  person.client.jar.delete(code.hostname);
  const page = await person.enter(code.href);
  expect([page.status, page.url.href]).toEqual([200, `${session.url}lab/tree?x=1`]);
});

test('a code is good for 30 seconds', async () => {
  const person = await fresh();
  const code = await wayIn(person);
  site.clock.advance(30_500);
  const answer = await person.client.get(code.href, { navigate: true });
  expect(answer.text).toContain('entry-code-invalid');
});

test('a code of one session does not open another', async () => {
  const other = await ada.ready((await ada.start()).id);
  const person = await fresh();
  const code = await wayIn(person);
  await person.client.get(other.url, { navigate: true }); // its own state cookie is there
  code.hostname = hostOf(other.url);
  const answer = await person.client.get(code.href, { navigate: true });
  expect(answer.status).toBe(403);
  expect(answer.text).toContain('entry-code-invalid');
  await ada.stop(other.id);
});

test('two tabs that enter at the same time both get in', async () => {
  const person = await fresh();
  const codes = [await wayIn(person), await wayIn(person)];
  for (const code of codes) {
    const answer = await person.client.get(code.href, { navigate: true, follow: 3 });
    expect(answer.status).toBe(200);
  }
});

test.each(['//evil.example', '/\\evil.example', 'https://evil.example', '/.linkspan/again?to=/'])(
  'beginning again leads nowhere else: %j',
  async (to) => {
    const answer = await ada.client.get(`${session.url}.linkspan/again?to=${encodeURIComponent(to)}`, {
      navigate: true,
      follow: 5,
    });
    expect([answer.status, answer.url.origin + answer.url.pathname]).toEqual([200, `${session.url}lab`]);
  },
);

test.each(['https://evil.example/', '//evil.example', '/\\evil.example'])(
  'the way in leads nowhere else: %j',
  async (to) => {
    const person = await fresh();
    const state = 's'.repeat(43);
    const answer = await person.client.get(
      `${site.portal}/enter?session=${session.id}&state=${sha256(state)}&to=${encodeURIComponent(to)}`,
      { navigate: true },
    );
    const code = new URL(answer.headers.location!);
    expect(code.host).toBe(new URL(session.url).host);
    person.client.jar.set(code.hostname, new Map([['__Host-ls-state', state]]));
    const arrived = await person.client.get(code.href, { navigate: true });
    expect(arrived.headers.location).toBe('/');
    expect(arrived.headers['set-cookie']!.join()).toContain('__Host-ls=');
  },
);

test('a browser that keeps only plain cookies on http gets in with one', async () => {
  const person = await fresh();
  const code = await wayIn(person);
  person.client.jar.get(code.hostname)!.delete('__Host-ls-state');
  const answer = await person.client.get(code.href, { navigate: true });
  expect(answer.headers['set-cookie']).toEqual([
    expect.stringMatching(new RegExp(`^ls-${site.port}=[\\w-]{43}; Path=/; HttpOnly`)),
  ]);
  expect((await person.enter(session.url)).status).toBe(200);
});

test('bela gets the same 403 page for the session of ada as for one that does not exist', async () => {
  const bela = await fresh('bela');
  const theirs = await bela.enter(session.url);
  expect(theirs.status).toBe(403);
  expect(theirs.text).toContain('entry-forbidden');
  const state = 'b'.repeat(64);
  const none = await bela.client.get(`${site.portal}/enter?session=aaaaaaaaaaaaaaaa&state=${state}`, {
    navigate: true,
  });
  expect([none.status, none.text]).toEqual([403, theirs.text]);
  const program = await bela.get(`/enter?session=${session.id}&state=${state}`);
  expect([program.status, program.json()['code']]).toEqual([403, 'entry-forbidden']);
  const api = await bela.get(`/api/sessions/${session.id}`);
  expect([api.status, api.json()['code']]).toEqual([404, 'session-not-found']);
  for (const action of ['stop', 'forget'])
    expect((await bela.post(`/api/sessions/${session.id}/${action}`)).status).toBe(404);
  expect((await bela.delete(`/api/sessions/${session.id}`)).status).toBe(404);
  expect((await bela.get(`/api/sessions/${session.id}/log`)).status).toBe(404);
  expect((await bela.get('/api/sessions')).json<{ items: unknown[] }>().items).toEqual([]);
});

test('when a login ends, its entries end too', async () => {
  const person = await fresh();
  await person.enter(session.url);
  expect((await person.client.get(`${session.url}api/status`)).status).toBe(200);
  const { loginId } = (await person.get('/api/me')).json<Me>();
  await ada.delete(`/api/logins/${loginId}`);
  expect((await person.client.get(`${session.url}api/status`)).status).toBe(401);
});

test('the host of a session is not the portal: its API, login and page are not there', async () => {
  await ada.enter(session.url);
  for (const path of ['api/me', 'api/sessions', 'auth/login']) {
    const there = await ada.client.get(session.url + path);
    expect(there.text).not.toContain('loginId');
    expect(there.headers['x-content-type-options'] === 'nosniff' && there.text.includes('"quota"')).toBe(false);
  }
  expect((await ada.client.get(`${session.url}auth/login`)).status).toBe(404);
});

test.each([
  ['another name', 'evil.example', 421],
  ['another port', 's-aaaaaaaaaaaaaaaa.localhost:1', 421],
  ['a name below a session host', 'x.s-aaaaaaaaaaaaaaaa.localhost', 421],
])('%s is refused as misdirected', async (_name, host, status) => {
  const answer = await sendRaw(site.port, `GET /api/me HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toContain('host-unknown');
});

test('two Host headers, no usable Host, or an absolute target are bad requests', async () => {
  for (const head of [
    `GET / HTTP/1.1\r\nHost: localhost:${site.port}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
    'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n',
    `GET http://localhost:${site.port}/ HTTP/1.1\r\nHost: localhost:${site.port}\r\nConnection: close\r\n\r\n`,
  ])
    expect(await sendRaw(site.port, head)).toMatch(/^HTTP\/1.1 400 /);
});

test('the portal is found by name without case and with a trailing dot', async () => {
  const answer = await sendRaw(
    site.port,
    `GET /healthz HTTP/1.1\r\nHost: LOCALHOST.:${site.port}\r\nConnection: close\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
});

test('login, entry, start and stop are in the audit with who and from where', async () => {
  const { openDatabase } = await import('../../server/db/open.ts');
  const db = await openDatabase(`sqlite:${site.dataDir}/linkspan.sqlite`);
  const rows = await db.selectFrom('audit').selectAll().orderBy('id').execute();
  await db.destroy();
  for (const action of ['login', 'session-start', 'entry', 'session-stop', 'login-revoked'])
    expect(rows.find((row) => row.action === action)).toMatchObject({ address: '127.0.0.1' });
  const entry = rows.find((row) => row.action === 'entry' && row.sessionId === session.id)!;
  expect(entry.userId).toMatch(/^u_/);
});
