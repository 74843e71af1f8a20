// JupyterLab as a browser uses it, without a browser: requests with cookie and XSRF token, kernels by websocket.
import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import type { Answer, Ask } from './http.ts';
import type { Person } from './person.ts';
import { until } from './until.ts';

export class Lab {
  readonly #person: Person;
  readonly #port: number;
  readonly #origin: URL;
  readonly #sockets: WebSocket[] = [];

  private constructor(person: Person, port: number, origin: URL) {
    this.#person = person;
    this.#port = port;
    this.#origin = origin;
  }

  /** Enters a ready session. */
  static async open(person: Person, port: number, url: string): Promise<Lab> {
    const page = await person.enter(url);
    if (page.status !== 200) throw new Error(`Lab did not open: ${page.status} ${page.text}`);
    return new Lab(person, port, new URL(url));
  }

  /** Throws when the answer is none of 200 to 299. */
  async ask(path: string, ask: Ask = {}): Promise<Answer> {
    const { origin, hostname } = this.#origin;
    const token = this.#person.client.jar.get(hostname)?.get('_xsrf') ?? '';
    const answer = await this.#person.client.ask(origin + path, {
      ...ask,
      headers: { origin, 'x-xsrftoken': token },
    });
    if (answer.status < 200 || answer.status > 299) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer;
  }

  /** An open websocket; text and binary messages go to `told`. */
  socket(path: string, told: (data: Buffer) => void): Promise<WebSocket> {
    const { origin, host, hostname } = this.#origin;
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${this.#port}${path}`, {
        headers: { host, origin, cookie: this.#person.client.cookieHeader(hostname) },
      });
      this.#sockets.push(socket);
      socket.on('message', (data) => told(data as Buffer));
      socket.once('open', () => resolve(socket));
      socket.once('error', reject);
    });
  }

  async kernel(): Promise<Kernel> {
    const { id } = (await this.ask('/api/kernels', { method: 'POST', body: { name: 'python3' } })).json<{
      id: string;
    }>();
    const got: KernelMessage[] = [];
    const socket = await this.socket(`/api/kernels/${id}/channels?session_id=${randomUUID()}`, (data) =>
      got.push(JSON.parse(data.toString('utf8')) as KernelMessage),
    );
    return {
      async run(code) {
        const messageId = randomUUID();
        const header = { msg_id: messageId, msg_type: 'execute_request', username: '', session: '', version: '5.3' };
        const content = { code, silent: false, store_history: false, user_expressions: {}, allow_stdin: false };
        socket.send(JSON.stringify({ channel: 'shell', header, parent_header: {}, metadata: {}, content }));
        const of = (type: string): KernelMessage[] =>
          got.filter((one) => one.msg_type === type && one.parent_header.msg_id === messageId);
        await until(
          () => of('execute_reply').length > 0 && of('status').some((one) => one.content.execution_state === 'idle'),
          'the end of a cell',
          30,
        );
        const failure = of('error')[0]?.content.evalue;
        if (failure !== undefined) throw new Error(`the cell failed: ${failure}`);
        return of('stream')
          .map((one) => one.content.text ?? '')
          .join('')
          .trim();
      },
    };
  }

  close(): void {
    for (const socket of this.#sockets) socket.terminate();
  }
}

export interface Kernel {
  /** Runs a cell. @returns what it printed */
  run(code: string): Promise<string>;
}

interface KernelMessage {
  msg_type: string;
  parent_header: { msg_id?: string };
  content: { execution_state?: string; text?: string; evalue?: string };
}
