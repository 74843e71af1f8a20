// One server per data directory. The lock is a file that names its holder; a holder that lives no more is succeeded without
// a person's help, after kill -9 and after a restart of the machine.
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { base32Id, sha256 } from '../lib/ids.ts';
import { isAlive, readBootId, statOf } from '../lib/process-identity.ts';
import { ConfigError } from './settings.ts';

const Holder = z.object({
  pid: z.number().int(),
  startTime: z.string(),
  bootId: z.string(),
  /** Which process list the pid belongs to: containers that share a volume have their own. */
  pidNamespace: z.string(),
  /** The successor of this holder puts its own lock into `<lock>.<nonce>`: only one can. */
  nonce: z.string().regex(/^[a-z2-7]{16}$/),
});
type Holder = z.infer<typeof Holder>;

/**
 * Takes the data directory for this process.
 * @param controlSocket where a server that has the directory answers
 * @returns gives it back; to be called when everything else has been closed
 * @throws ConfigError naming the directory and the process that has it
 */
export async function lockDataDir(dataDir: string, controlSocket: string): Promise<{ close(): void }> {
  const lock = path.join(dataDir, 'run', 'lock');
  const own: Holder = {
    pid: process.pid,
    startTime: statOf(process.pid)?.startTime ?? '',
    bootId: readBootId(),
    pidNamespace: pidNamespace(),
    nonce: base32Id(),
  };
  const written = `${lock}.new-${own.nonce}`;
  writeFileSync(written, JSON.stringify(own), { mode: 0o600, flag: 'wx' });
  try {
    for (;;) {
      const last = endOfChain(lock);
      const answers = await listens(controlSocket);
      if (answers || (last && lives(last.holder))) throw taken(dataDir, last?.holder);
      // link(2) fails when the name is there: of several that succeed the same holder one wins.
      const at = last ? `${lock}.${last.holder.nonce}` : lock;
      if (!link(written, at)) continue;
      if (endOfChain(lock)?.holder.nonce === own.nonce) break;
      rmSync(at, { force: true }); // the chain that this belonged to had been tidied meanwhile
    }
    tidy(lock, written, own);
  } finally {
    rmSync(written, { force: true });
  }
  return {
    close: () => {
      if (read(lock)?.nonce === own.nonce) rmSync(lock, { force: true });
    },
  };
}

/** The lock, its successor, and so on: the last one counts. */
function endOfChain(lock: string): { holder: Holder } | undefined {
  let holder = read(lock);
  for (let next = holder; next; next = read(`${lock}.${next.nonce}`)) holder = next;
  return holder && { holder };
}

/** Makes the chain one file again: first the head, so that nobody finds the old one to be the last. */
function tidy(lock: string, written: string, own: Holder): void {
  const old: string[] = [];
  for (let at = read(lock); at && at.nonce !== own.nonce; at = read(`${lock}.${at.nonce}`))
    old.push(`${lock}.${at.nonce}`);
  if (old.length === 0) return;
  renameSync(written, lock);
  for (const file of old) rmSync(file, { force: true });
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** @returns undefined when there is no such file */
function read(file: string): Holder | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return Holder.parse(JSON.parse(text));
  } catch {
    // Cut by a crash of the machine: nobody holds it, and it can be succeeded like any other.
    return { pid: 0, startTime: '', bootId: '', pidNamespace: '', nonce: sha256(`${file} ${text}`).slice(0, 16) };
  }
}

/** A holder in another container cannot be looked up: then only its control socket tells. */
const lives = (holder: Holder): boolean => holder.pidNamespace === pidNamespace() && isAlive(holder, readBootId());

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

const listens = (socket: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // EAGAIN: it is there and has no room for another one.
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
  });

const taken = (dataDir: string, holder: Holder | undefined): ConfigError =>
  new ConfigError([
    `dataDir: another server runs with '${dataDir}'; stop it, or give this one another dataDir. ` +
      (holder ? `It is process ${holder.pid}` : 'It answers on its control socket'),
  ]);
