// The embedded issuer as a part: what it keeps, and what it prints.
import { randomBytes } from 'node:crypto';
import express from 'express';
import { createServer } from 'node:http';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openDatabase } from '../../../server/db/open.ts';
import { makeSeal } from '../../../server/db/seal.ts';
import { makeIam } from '../../../server/iam/iam.ts';
import { makeLog } from '../../../server/lib/log.ts';
import { movableClock } from '../../kit/clock.ts';

async function makeOne() {
  const db = await openDatabase('sqlite::memory:');
  onTestFinished(() => db.destroy());
  const clock = movableClock();
  const iam = await makeIam({
    issuerUrl: 'http://localhost:8000/iam',
    portal: 'http://localhost:8000',
    db,
    seal: makeSeal(randomBytes(32)),
    clock,
    log: makeLog('silent'),
    addressOf: () => '127.0.0.1',
  });
  return { db, clock, iam };
}

test('records whose end has passed are deleted; keys, accounts and what still counts stay', async () => {
  const { db, clock, iam } = await makeOne();
  const record = { model: 'Session', payload: '{}', grantId: null, userCode: null, uid: null, consumedAt: null };
  await db
    .insertInto('iamRecords')
    .values([
      { ...record, id: 'over', endsAt: clock.now() + 1000 },
      { ...record, id: 'counts', endsAt: clock.now() + 60_000 },
    ])
    .execute();
  clock.advance(2000);
  await iam.purge();
  const rows = await db.selectFrom('iamRecords').select(['model', 'id']).execute();
  expect(rows.filter(({ model }) => model === 'Session')).toEqual([{ model: 'Session', id: 'counts' }]);
  expect(rows.map(({ model }) => model).toSorted()).toEqual(['Account', 'Account', 'Account', 'Keys', 'Session']);
});

test('revoking a token prints no notice about a policy of ours that is missing', async () => {
  const said = vi.spyOn(console, 'info').mockImplementation(() => undefined);
  onTestFinished(() => said.mockRestore());
  const { iam, db, clock } = await makeOne();
  const id = 'r'.repeat(43);
  const payload = JSON.stringify({
    iat: 1,
    exp: Math.floor(clock.now() / 1000) + 60,
    jti: id,
    kind: 'RefreshToken',
    clientId: 'linkspan',
    accountId: 'x',
    grantId: 'g',
  });
  const row = { model: 'RefreshToken', id, payload, grantId: 'g', userCode: null, uid: null, consumedAt: null };
  await db
    .insertInto('iamRecords')
    .values({ ...row, endsAt: clock.now() + 60_000 })
    .execute();
  const server = createServer(express().use('/iam', iam.router));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const answer = await fetch(`http://127.0.0.1:${port}/iam/token/revocation`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${iam.clientId}:${iam.clientSecret}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: `token=${id}&token_type_hint=refresh_token`,
  });
  expect(answer.status).toBe(200);
  expect(await db.selectFrom('iamRecords').select('id').where('id', '=', id).execute()).toEqual([]);
  expect(said.mock.calls).toEqual([]);
});
