// Reads the rotated log of a session: log.2, log.1, log, oldest first.
import { open, stat } from 'node:fs/promises';
import path from 'node:path';

const maxTailBytes = 1_048_576;

/** @returns the last lines of the log, oldest first */
export async function tailLines(directory: string, files: number, count: number): Promise<string[]> {
  let lines: string[] = [];
  for (let index = 0; index < files && lines.length < count; index += 1) {
    const text = await readEnd(path.join(directory, index === 0 ? 'log' : `log.${index}`));
    if (text === undefined) break;
    // A line that was cut by rotation is joined again.
    const older = text.split('\n');
    const last = older.pop() ?? '';
    lines =
      lines.length === 0 ? [...older, ...(last === '' ? [] : [last])] : [...older, last + lines[0]!, ...lines.slice(1)];
  }
  return count > 0 ? lines.slice(-count) : [];
}

async function readEnd(file: string): Promise<string | undefined> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (!handle) return undefined;
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, maxTailBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/**
 * Follows the log from its present end. Rotation is noticed by the inode.
 * @param ended tells that nothing more will come
 */
export async function* followLines(
  directory: string,
  ended: () => Promise<boolean>,
  pause: () => Promise<void>,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const file = path.join(directory, 'log');
  let rest = '';
  let at = (await stat(file).catch(() => undefined))?.size ?? 0;
  let inode = (await stat(file).catch(() => undefined))?.ino;
  while (!signal?.aborted) {
    const over = await ended();
    const now = await stat(file).catch(() => undefined);
    if (now) {
      if (inode !== undefined && now.ino !== inode) {
        yield* cut((await readFrom(path.join(directory, 'log.1'), at)).toString('utf8'));
        at = 0;
      }
      inode = now.ino;
      if (now.size > at) {
        const bytes = await readFrom(file, at);
        at += bytes.length;
        yield* cut(bytes.toString('utf8'));
      }
    }
    if (over) break;
    await pause();
  }
  if (rest !== '') yield rest;

  function* cut(text: string): Generator<string> {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
}

async function readFrom(file: string, at: number): Promise<Buffer> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (!handle) return Buffer.alloc(0);
  try {
    const { size } = await handle.stat();
    if (size <= at) return Buffer.alloc(0);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - at), 0, size - at, at);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
