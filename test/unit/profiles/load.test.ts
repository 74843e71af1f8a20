// Profiles as people write them: what is right is read with its defaults, what is wrong is named with its place.
import path from 'node:path';
import { expect, test } from 'vitest';
import { Site } from '../../../contract/profile.ts';
import { FileError } from '../../../server/lib/yaml-file.ts';
import { loadProfiles } from '../../../server/profiles/load.ts';
import { folder } from '../../kit/folder.ts';

const sites = [Site.parse({ name: 'here', title: 'Here', kind: 'local', class: 'cloud' })];

/** Every mistake, with the folder left out of its place. */
function problems(files: Record<string, string>): string[] {
  const at = folder(files);
  try {
    loadProfiles(at, sites);
  } catch (error) {
    if (error instanceof FileError) return error.problems.map((problem) => problem.replaceAll(`${at}${path.sep}`, ''));
    throw error;
  }
  return [];
}
const good = 'profiles:\n  - { id: lab, title: Lab, site: here }\n';

test('a short profile is complete with its defaults', () => {
  expect(loadProfiles(folder({ 'a.yaml': good }), sites)).toEqual([
    {
      id: 'lab',
      title: 'Lab',
      description: '',
      icon: 'notebook',
      site: 'here',
      app: { kind: 'jupyterlab', defaultUrl: '/lab' },
      resources: { gpus: 0 },
      env: {},
      readyTimeoutSeconds: 120,
    },
  ]);
});

test('files are read in the order of their names, others are left alone', () => {
  const at = folder({ 'b.yml': good.replace('lab', 'second'), 'a.yaml': good, 'notes.txt': 'no: [yaml' });
  expect(loadProfiles(at, sites).map((profile) => profile.id)).toEqual(['lab', 'second']);
});

test.each([
  [
    'an unknown key',
    'profiles:\n  - id: lab\n    titel: Lab\n    title: Lab\n    site: here\n',
    'a.yaml:3:5: profiles.0.titel: is not a known key',
  ],
  [
    'a missing key',
    'profiles:\n  - id: lab\n    site: here\n',
    'a.yaml:2:5: profiles.0.title: is missing; a string is needed',
  ],
  ['an id with capitals', good.replace('lab', 'Lab'), 'a.yaml:2:11: profiles.0.id: use 1 to 40 characters'],
  [
    'a wrong kind of value',
    good.replace('title: Lab', 'title: [1]'),
    'a.yaml:2:23: profiles.0.title: must be a string',
  ],
  [
    'a site that is not there',
    good.replace('here', 'there'),
    "a.yaml:2:34: profiles.0.site: there is no site 'there'; known are 'here'",
  ],
  [
    'an unknown icon',
    good.replace('site', 'icon: boat, site'),
    'a.yaml:2:34: profiles.0.icon: must be one of "notebook"',
  ],
  [
    'a size without a unit',
    good.replace('site', 'resources: { memory: 4 }, site'),
    'a.yaml:2:49: profiles.0.resources.memory: must be a string',
  ],
  [
    'a size in the wrong unit',
    good.replace('site', 'resources: { memory: 4GB }, site'),
    'a.yaml:2:49: profiles.0.resources.memory: write a size such as 512Mi or 4Gi',
  ],
  [
    'an argv app without argv',
    good.replace('site', 'app: { kind: argv }, site'),
    'a.yaml:2:33: profiles.0.app.argv: is missing',
  ],
  ['text that is no YAML', 'profiles:\n  - id: [lab\n', 'a.yaml:3:1: '],
  ['a key that is there twice', `${good}profiles: []\n`, 'a.yaml:3:1: Map keys must be unique'],
  ['an empty file', '', 'a.yaml:1:1: profiles: is missing'],
  ['no profile', 'profiles: []\n', 'a.yaml:1:11: profiles: '],
])('%s is told with file, line and column', (_what, text, expected) => {
  const found = problems({ 'a.yaml': text });
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(expected);
});

test('an id that is used already names both places', () => {
  expect(problems({ 'a.yaml': good, 'b.yaml': good })).toEqual([
    "b.yaml:2:11: profiles.0.id: 'lab' is used already at a.yaml:2:11; ids must differ",
  ]);
});

test('all mistakes of all files are told at once', () => {
  const found = problems({ 'a.yaml': good.replace('lab', 'LAB').replace('title', 'titel'), 'b.yaml': 'profiles: 3\n' });
  expect(found.map((problem) => problem.split(':')[0])).toEqual(['a.yaml', 'a.yaml', 'a.yaml', 'b.yaml']);
});

test('a folder that is missing or empty says what is needed', () => {
  expect(() => loadProfiles('/nowhere/at/all', sites)).toThrow('/nowhere/at/all:1:1: cannot be read');
  expect(problems({ 'a.txt': '' })[0]).toContain('holds no *.yaml file; at least one profile is needed');
});
