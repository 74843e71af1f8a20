// The texts of the page: said somewhere, and in words of people.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { en } from '../../../web/src/messages/en.ts';

const source = path.resolve(import.meta.dirname, '../../../web/src');
const code = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name) && !name.startsWith('messages'))
  .map((name) => readFileSync(path.join(source, name), 'utf8'))
  .join('\n');

const texts: [key: string, text: string][] = Object.entries(en);

test('every text is used by the page', () => {
  expect(texts.filter(([key]) => !code.includes(`'${key}'`))).toEqual([]);
});

test('no text is empty, and none has space around it', () => {
  expect(texts.filter(([, text]) => text === '' || text !== text.trim())).toEqual([]);
});

test('texts speak of sessions and sites, never in words of machines', () => {
  const machines = /\b(pods?|tunnels?|kubernetes|containers?|slurm|websockets?|sse|api|http|backend|proxy|gateway)\b/i;
  expect(texts.filter(([, text]) => machines.test(text))).toEqual([]);
});
