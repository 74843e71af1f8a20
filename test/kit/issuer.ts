// An issuer that is not the portal's own: the embedded one, standing alone on loopback. A test can take it away and change its people.
import { createServer, type Server } from 'node:http';
import { randomBytes } from 'node:crypto';
import express from 'express';
import { openDatabase } from '../../server/db/open.ts';
import { makeSeal } from '../../server/db/seal.ts';
import { makeIam } from '../../server/iam/iam.ts';
import { systemClock } from '../../server/lib/clock.ts';
import { makeLog } from '../../server/lib/log.ts';
import { freePort } from './ports.ts';

export interface TestIssuer {
  /** For the setting `issuer`. */
  settings: { url: string; clientId: string; clientSecret: string; scopes: string[] };
  passwords: Map<string, string>;
  /** No answer from now on. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** What matches gets this status, or no answer at all, until the returned function is called. */
  disturb(path: RegExp, how: number | 'silence'): () => void;
  setGroups(username: string, groups: string[]): Promise<void>;
  /** Every refresh token is worthless from now on. */
  forgetTokens(): Promise<void>;
  close(): Promise<void>;
}

/** @param portal origin of its one client */
export async function testIssuer(portal: string): Promise<TestIssuer> {
  const port = await freePort();
  const url = `http://localhost:${port}/iam`;
  const db = await openDatabase('sqlite::memory:');
  const iam = await makeIam({
    issuerUrl: url,
    portal,
    db,
    seal: makeSeal(randomBytes(32)),
    clock: systemClock,
    log: makeLog('silent'),
    addressOf: () => '127.0.0.1',
  });
  let disturbed: { path: RegExp; how: number | 'silence' } | undefined;
  const app = express()
    .use((request, response, next) => {
      if (!disturbed?.path.test(request.path)) return next();
      if (disturbed.how !== 'silence') response.status(disturbed.how).send('disturbed');
    })
    .use('/iam', iam.router);
  let server: Server | undefined;
  const goAway = async (): Promise<void> => {
    const going = server;
    server = undefined;
    going?.closeAllConnections();
    await new Promise<void>((resolve) => (going ? going.close(() => resolve()) : resolve()));
  };
  const comeBack = async (): Promise<void> => {
    server = createServer(app);
    await new Promise<void>((resolve) => server!.listen(port, '127.0.0.1', resolve));
  };
  await comeBack();
  return {
    settings: {
      url,
      clientId: iam.clientId,
      clientSecret: iam.clientSecret,
      scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    },
    passwords: new Map(iam.fresh.map(({ username, password }) => [username, password])),
    goAway,
    comeBack,
    disturb: (path, how) => {
      disturbed = { path, how };
      return () => void (disturbed = undefined);
    },
    setGroups: async (username, groups) => {
      const record = db.selectFrom('iamRecords').selectAll().where('model', '=', 'Account');
      for (const { id, payload } of await record.execute()) {
        const account = JSON.parse(payload) as { username: string };
        if (account.username !== username) continue;
        const changed = JSON.stringify({ ...account, groups });
        await db
          .updateTable('iamRecords')
          .set({ payload: changed })
          .where('model', '=', 'Account')
          .where('id', '=', id)
          .execute();
      }
    },
    forgetTokens: async () => void (await db.deleteFrom('iamRecords').where('model', '=', 'RefreshToken').execute()),
    close: async () => {
      await goAway();
      await db.destroy();
    },
  };
}
