// Storage of the embedded issuer: its records as rows of iam_records.
import type { Adapter, AdapterPayload } from 'oidc-provider';
import type { Database } from '../db/open.ts';
import type { Clock } from '../lib/clock.ts';

/** @returns the adapter class's stand-in: one adapter per model */
export function makeAdapter(db: Database, clock: Clock): (model: string) => Adapter {
  const read = (
    row: { payload: string; consumedAt: number | null; endsAt: number | null } | undefined,
  ): AdapterPayload | undefined => {
    if (!row || (row.endsAt !== null && row.endsAt <= clock.now())) return undefined;
    const payload = JSON.parse(row.payload) as AdapterPayload;
    return row.consumedAt === null ? payload : { ...payload, consumed: Math.floor(row.consumedAt / 1000) };
  };
  const columns = ['payload', 'consumedAt', 'endsAt'] as const;
  return (model) => ({
    async upsert(id, payload, expiresIn) {
      const values = {
        payload: JSON.stringify(payload),
        grantId: payload.grantId ?? null,
        userCode: payload.userCode ?? null,
        uid: payload.uid ?? null,
        endsAt: expiresIn === undefined ? null : clock.now() + expiresIn * 1000,
      };
      await db
        .insertInto('iamRecords')
        .values({ model, id, consumedAt: null, ...values })
        .onConflict((conflict) => conflict.columns(['model', 'id']).doUpdateSet(values))
        .execute();
    },
    async find(id) {
      return read(
        await db
          .selectFrom('iamRecords')
          .select(columns)
          .where('model', '=', model)
          .where('id', '=', id)
          .executeTakeFirst(),
      );
    },
    async findByUserCode(userCode) {
      return read(
        await db
          .selectFrom('iamRecords')
          .select(columns)
          .where('model', '=', model)
          .where('userCode', '=', userCode)
          .executeTakeFirst(),
      );
    },
    async findByUid(uid) {
      return read(
        await db
          .selectFrom('iamRecords')
          .select(columns)
          .where('model', '=', model)
          .where('uid', '=', uid)
          .executeTakeFirst(),
      );
    },
    async consume(id) {
      await db
        .updateTable('iamRecords')
        .set({ consumedAt: clock.now() })
        .where('model', '=', model)
        .where('id', '=', id)
        .execute();
    },
    async destroy(id) {
      await db.deleteFrom('iamRecords').where('model', '=', model).where('id', '=', id).execute();
    },
    async revokeByGrantId(grantId) {
      await db.deleteFrom('iamRecords').where('model', '=', model).where('grantId', '=', grantId).execute();
    },
  });
}
