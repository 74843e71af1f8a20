// The collaboration room of a notebook: websocket and y-protocols here, the document itself in jupyter-edit.py (pycrdt).
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { WebSocket } from 'ws';
import type { Lab } from './jupyter-lab.ts';
import { until } from './until.ts';

const python = fileURLToPath(new URL('../../.cache/python/bin/python', import.meta.url));
const script = path.join(import.meta.dirname, 'jupyter-edit.py');

/** y-protocols: 0 = sync; then 0 = "send me what I lack", 1 = the answer to it, 2 = a change. */
const wantAll = Buffer.from([0, 0, 1, 0]);

export interface Room {
  /** Writes into the first cell, and resolves when the room's own document has it. */
  write(text: string): Promise<void>;
  isOpen(): boolean;
}

export async function openRoom(lab: Lab, file: string): Promise<Room> {
  const { fileId, sessionId } = (
    await lab.ask(`/api/collaboration/session/${file}`, {
      method: 'PUT',
      body: { format: 'json', type: 'notebook' },
    })
  ).json<{ fileId: string; sessionId: string }>();
  const answers: Buffer[] = [];
  const socket = await lab.socket(
    `/api/collaboration/room/json:notebook:${fileId}?sessionId=${sessionId}`,
    (data) => void (data[0] === 0 && data[1] === 1 && answers.push(data)),
  );
  const document = async (): Promise<Buffer> => {
    const before = answers.length;
    socket.send(wantAll);
    await until(() => answers.length > before, 'the document');
    return partOf(answers[before]!);
  };
  return {
    async write(text) {
      const { stdout } = await promisify(execFile)(python, [script, text, (await document()).toString('base64')]);
      const change = Buffer.from(stdout.trim(), 'base64');
      socket.send(Buffer.concat([Buffer.from([0, 2]), lengthOf(change), change]));
      // Messages of one client are handled in order: this answer comes after the change was taken.
      if (!(await document()).includes(text)) throw new Error('the room did not take the change');
    },
    isOpen: () => socket.readyState === WebSocket.OPEN,
  };
}

/** lib0's variable length integer: 7 bits a byte, least first. */
function lengthOf(bytes: Buffer): Buffer {
  const digits: number[] = [];
  let rest = bytes.length;
  for (; rest > 127; rest = Math.floor(rest / 128)) digits.push(128 | (rest & 127));
  return Buffer.from([...digits, rest]);
}

function partOf(message: Buffer): Buffer {
  let at = 2;
  while ((message[at]! & 128) !== 0) at += 1;
  return message.subarray(at + 1);
}
