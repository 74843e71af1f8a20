// The http.Agent over streams of a tunnel: what it keeps, and what it must not use again.
import http from 'node:http';
import { expect, test } from 'vitest';
import { TunnelAgent } from '../../../server/tunnel/dial.ts';
import { muxProbe } from '../../kit/tunnel-mux.ts';
import { until } from '../../kit/until.ts';

function site() {
  const gateway = muxProbe('gateway');
  const agent = new TunnelAgent(() => gateway.mux.open('app'));
  /** Asks, and answers as an app with keep-alive on the newest stream does. @returns the id of the stream that was used */
  const ask = async (method: string): Promise<number> => {
    const requests = (): number[] => gateway.sent.filter(({ type }) => type === 'DATA').map(({ stream }) => stream);
    const before = requests().length;
    const answered = new Promise<void>((resolve, reject) => {
      const request = http.request({ agent, method, path: '/', host: 'app' }, (response) =>
        response.resume().once('end', resolve),
      );
      request.once('error', reject).end();
    });
    const stream = await until(() => requests()[before], 'the request');
    gateway.receive('DATA', stream, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    await answered;
    await until(() => Object.values(agent.freeSockets).flat().length > 0, 'a kept stream');
    return stream;
  };
  return { gateway, agent, ask };
}

test('a stream is used again for the next request', async () => {
  const { ask } = site();
  expect([await ask('GET'), await ask('POST')]).toEqual([1, 1]);
});

test('a kept stream that the app has closed is given up at once, and not used for the next request', async () => {
  const { gateway, agent, ask } = site();
  expect(await ask('GET')).toBe(1);
  gateway.receive('END', 1);
  await until(() => Object.values(agent.freeSockets).flat().length === 0, 'it is given up');
  expect(gateway.mux.size).toBe(0);
  expect(await ask('POST')).toBe(3);
});
