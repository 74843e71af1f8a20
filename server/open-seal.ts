// The key beside the database, and the proof that the two belong together.
import { makeKey, readKey } from './config/data-dir.ts';
import { ConfigError } from './config/settings.ts';
import { keyCheck, keepKeyCheck } from './db/installation.ts';
import type { Database } from './db/open.ts';
import { makeSeal, type Seal } from './db/seal.ts';

/** What has to go before another key can be used: everything that the lost one sealed. Tested. */
const beginAnew =
  "DELETE FROM installation WHERE key = 'key-check'; DELETE FROM iam_records WHERE model = 'Keys'; " +
  'DELETE FROM pending_logins; DELETE FROM logins;';

/**
 * Makes a key only for a database that none was used with.
 * @throws ConfigError when the key is missing, cut, or another than the one that sealed this database
 */
export async function openSeal(dataDir: string, db: Database): Promise<Seal> {
  const { at, key } = readKey(dataDir);
  if ((await keyCheck(db)) === undefined) {
    const made = makeSeal(key ?? makeKey(dataDir));
    await keepKeyCheck(db, made.seal('key-check'));
    if (opens(made, await keyCheck(db))) return made;
    throw refused(`'${at}' is not the key that sealed this database`);
  }
  if (!key) throw refused(`'${at}' is missing, but this database was sealed with it`);
  const seal = makeSeal(key);
  if (!opens(seal, await keyCheck(db))) throw refused(`'${at}' is not the key that sealed this database`);
  return seal;
}

function opens(seal: Seal, sealed: string | undefined): boolean {
  try {
    return sealed !== undefined && seal.open(sealed) === 'key-check';
  } catch {
    return false;
  }
}

const refused = (what: string): ConfigError =>
  new ConfigError([
    `dataDir: ${what}; restore it from a backup, or point dataDir and database at the pair that belongs together. ` +
      `If the key is lost for good, run on the database: ${beginAnew} Then everybody has to log in again; sessions and homes stay`,
  ]);
