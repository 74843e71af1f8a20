import { expect, test } from 'vitest';
import path from 'node:path';
import { loadSites } from '../../../server/sites/load.ts';
import { folder } from '../../kit/folder.ts';

const site = '  - { name: here, title: Here, kind: local, class: cloud }\n';
const fileOf = (text: string): string => path.join(folder({ 'sites.yaml': text }), 'sites.yaml');

test('a short site is complete with its defaults', () => {
  expect(loadSites(fileOf(`sites:\n${site}`))).toEqual([
    {
      name: 'here',
      title: 'Here',
      kind: 'local',
      class: 'cloud',
      agentPath: '/opt/linkspan',
      loopback: 'shared',
      identity: 'own',
      sharing: 'off',
      maxAgeSeconds: 604_800,
      awaySeconds: 86_400,
    },
  ]);
});

test.each([
  [
    'a name that is used already',
    site + site,
    /:3:13: sites\.1\.name: 'here' is used already at .*:2:13; names must differ/,
  ],
  [
    'a kind that this version cannot run',
    site.replace('local', 'kubernetes'),
    /:2:38: sites\.0\.kind: 'kubernetes' is not supported by this version; use 'local'/,
  ],
  [
    'a kind that nobody knows',
    site.replace('local', 'ssh'),
    /:2:38: sites\.0\.kind: must be one of "local", "kubernetes", "interlink" \(found "ssh"\)/,
  ],
  [
    'an agentUrl that anybody could read',
    site.replace(' }', ', agentUrl: "http://portal.example.org" }'),
    /sites\.0\.agentUrl: 'http:\/\/portal\.example\.org' must be https unless it is loopback/,
  ],
  ['a negative time', site.replace(' }', ', maxAgeSeconds: -1 }'), /sites\.0\.maxAgeSeconds: .*\(found -1\)/],
])('%s is told with its place', (_what, text, expected) => {
  expect(() => loadSites(fileOf(`sites:\n${text}`))).toThrow(expected);
});

test('a file that is missing says so', () => {
  expect(() => loadSites('/nowhere/sites.yaml')).toThrow('/nowhere/sites.yaml:1:1: cannot be read');
});
