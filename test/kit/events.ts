// A reader of GET /api/events.
import http from 'node:http';
import type { SessionEvent } from '../../contract/api.ts';
import type { Person } from './person.ts';

export interface Events {
  status: number;
  got: { id: string | undefined; data: SessionEvent }[];
  ended: Promise<void>;
  close(): void;
}

export function readEvents(person: Person, port: number, lastEventId?: number): Promise<Events> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      {
        host: '127.0.0.1',
        port,
        path: '/api/events',
        headers: {
          host: `localhost:${port}`,
          cookie: person.client.cookieHeader('localhost'),
          ...(lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) }),
        },
      },
      (response) => {
        const got: Events['got'] = [];
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
          for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
            const fields = new Map(
              text
                .slice(0, at)
                .split('\n')
                .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
            );
            text = text.slice(at + 2);
            const data = fields.get('data');
            if (data !== undefined) got.push({ id: fields.get('id'), data: JSON.parse(data) as SessionEvent });
          }
        });
        response.on('error', () => undefined);
        const ended = new Promise<void>((done) => response.on('close', () => done()));
        resolve({ status: response.statusCode ?? 0, got, ended, close: () => request.destroy() });
      },
    );
    request.on('error', reject);
  });
}
