// Reads the rotated log of a session: log.2, log.1, log, oldest first. A place in it is an open file and an offset,
// so that rotation between two looks loses nothing.
import { open, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { StringDecoder } from 'node:string_decoder';

const chunkBytes = 65_536;
/** A longer line is told in pieces. */
const maxLineCharacters = 65_536;

const fileAt = (directory: string, index: number): string => path.join(directory, index === 0 ? 'log' : `log.${index}`);

/** Reads on from where it stopped; one reader at a time. */
export interface LogReader {
  /** @returns whole lines that came since the last look */
  more(): Promise<string[]>;
  /** @returns what is left without an end of line */
  rest(): string[];
  close(): Promise<void>;
}

/** @returns the last lines of the log, and a reader of what follows them */
export async function openLog(
  directory: string,
  files: number,
  count: number,
): Promise<{ lines: string[]; reader: LogReader }> {
  let current: FileHandle | undefined;
  let offset = 0;
  let partial = '';
  const decoder = new StringDecoder('utf8');

  const cut = (text: string): string[] => {
    const lines = (partial + text).split('\n');
    partial = lines.pop() ?? '';
    while (partial.length > maxLineCharacters) {
      lines.push(partial.slice(0, maxLineCharacters));
      partial = partial.slice(maxLineCharacters);
    }
    return lines;
  };

  /** The file after `current`; the oldest when `current` has been removed or there was none. */
  const next = async (): Promise<FileHandle | undefined> => {
    const own = current ? (await current.stat()).ino : undefined;
    let oldest: number | undefined;
    for (let index = 0; index < files; index += 1) {
      const inode = (await stat(fileAt(directory, index)).catch(() => undefined))?.ino;
      if (inode === undefined) continue;
      if (inode === own) return index === 0 ? undefined : await open(fileAt(directory, index - 1));
      oldest = index;
    }
    return oldest === undefined ? undefined : await open(fileAt(directory, oldest));
  };

  const drain = async function* (): AsyncGenerator<string> {
    for (;;) {
      if (current) {
        const buffer = Buffer.alloc(chunkBytes);
        for (;;) {
          const { bytesRead } = await current.read(buffer, 0, chunkBytes, offset);
          if (bytesRead === 0) break;
          offset += bytesRead;
          yield decoder.write(buffer.subarray(0, bytesRead));
        }
      }
      const following = await next().catch(() => undefined);
      if (!following) return;
      await current?.close();
      current = following;
      offset = 0;
    }
  };

  const reader: LogReader = {
    more: async () => {
      const lines: string[] = [];
      for await (const text of drain()) lines.push(...cut(text));
      return lines;
    },
    rest: () => {
      const left = partial + decoder.end();
      partial = '';
      return left === '' ? [] : [left];
    },
    close: async () => {
      await current?.close();
      current = undefined;
    },
  };

  let lines: string[] = [];
  for await (const text of drain()) {
    lines.push(...cut(text));
    if (lines.length > 2 * count) lines = count === 0 ? [] : lines.slice(-count);
  }
  return { lines: count === 0 ? [] : lines.slice(-count), reader };
}
