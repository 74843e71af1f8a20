// A person at the portal, without a browser: logs in through the issuer's real login page, uses the API, enters sessions.
import type { SessionDetail, SessionView } from '../../contract/api.ts';
import { isEnd } from '../../contract/states.ts';
import { Client, type Answer } from './http.ts';
import { until } from './until.ts';

export class Person {
  readonly client: Client;
  readonly portal: string;

  constructor(port: number, portal = `http://localhost:${port}`, others: readonly number[] = []) {
    this.client = new Client(port, others);
    this.portal = portal;
  }

  /** @returns the answer at the end of the way: the page, or a refusal */
  async logIn(username: string, password: string, to = '/'): Promise<Answer> {
    const form = await this.client.get(`${this.portal}/auth/login?to=${encodeURIComponent(to)}`, {
      follow: 5,
      navigate: true,
    });
    return await this.submit(form, username, password);
  }

  /** Fills in a login page. */
  async submit(form: Answer, username: string, password: string): Promise<Answer> {
    const action = /<form[^>]*action="([^"]+)"/.exec(form.text)?.[1];
    if (form.status !== 200 || action === undefined) throw new Error(`no login page: ${form.status} ${form.text}`);
    const hidden: [string, string][] = [...form.text.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([tag]) => [
      /name="([^"]*)"/.exec(tag)?.[1] ?? '',
      /value="([^"]*)"/.exec(tag)?.[1] ?? '',
    ]);
    return await this.client.ask(new URL(action.replaceAll('&amp;', '&'), form.url).href, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: form.url.origin },
      body: new URLSearchParams([...hidden, ['username', username], ['password', password]]).toString(),
      follow: 8,
      navigate: true,
    });
  }

  get = (path: string): Promise<Answer> => this.client.get(this.portal + path);
  post = (path: string, body: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<Answer> =>
    this.client.post(this.portal + path, body, headers);
  delete = (path: string): Promise<Answer> =>
    this.client.ask(this.portal + path, { method: 'DELETE', headers: { origin: this.portal } });

  async start(profile = 'jupyterlab'): Promise<SessionView> {
    const answer = await this.post('/api/sessions', { profile });
    if (answer.status !== 201) throw new Error(`not started: ${answer.status} ${answer.text}`);
    return answer.json<SessionView>();
  }

  async session(id: string): Promise<SessionDetail> {
    return (await this.get(`/api/sessions/${id}`)).json<SessionDetail>();
  }

  async ready(id: string): Promise<SessionDetail> {
    return await this.reaches(id, (session) => {
      if (isEnd(session.state)) throw new Error(`ended: ${JSON.stringify(session)}`);
      return session.state === 'ready';
    });
  }

  async ended(id: string): Promise<SessionDetail> {
    return await this.reaches(id, (session) => isEnd(session.state));
  }

  async stop(id: string): Promise<SessionDetail> {
    await this.post(`/api/sessions/${id}/stop`);
    return await this.ended(id);
  }

  /** Follows a session's address until its first page. */
  async enter(url: string): Promise<Answer> {
    return await this.client.get(url, { follow: 6, navigate: true });
  }

  async reaches(id: string, is: (session: SessionDetail) => boolean): Promise<SessionDetail> {
    return await until(
      async () => {
        const session = await this.session(id);
        return is(session) ? session : undefined;
      },
      `session ${id}`,
      30,
    );
  }
}
