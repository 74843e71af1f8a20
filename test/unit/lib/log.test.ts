import { expect, test } from 'vitest';
import { makeLog } from '../../../server/lib/log.ts';

test('a log line shows its event and hides secrets at every depth that we use', () => {
  const lines: string[] = [];
  const log = makeLog('info', { write: (line: string) => void lines.push(line) });
  log.info(
    {
      session: 'abc',
      token: 'hide-1',
      enrol: { token: 'hide-2' },
      req: { headers: { cookie: 'hide-3', authorization: 'hide-4' } },
      issuer: { clientSecret: 'hide-5' },
    },
    'session started',
  );
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({ msg: 'session started', session: 'abc', token: '[hidden]' });
  expect(lines[0]).not.toContain('hide-');
});
