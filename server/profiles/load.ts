// The directory of profiles.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { ProfilesFile, type Profile, type Site } from '../../contract/profile.ts';
import { FileError, readYaml } from '../lib/yaml-file.ts';

/**
 * Reads every *.yaml and *.yml of a directory, in the order of their names.
 * @throws FileError with every mistake of all files, each with file, line and column
 */
export function loadProfiles(directory: string, sites: readonly Site[]): Profile[] {
  const profiles: Profile[] = [];
  const problems: string[] = [];
  const seen = new Map<string, string>();
  for (const file of filesOf(directory)) {
    try {
      const { value, at } = readYaml(file, ProfilesFile);
      value.profiles.forEach((profile, index) => {
        const here = at(['profiles', index, 'id']);
        const first = seen.get(profile.id);
        if (first !== undefined)
          problems.push(`${here}: profiles.${index}.id: '${profile.id}' is used already at ${first}; ids must differ`);
        else seen.set(profile.id, here);
        if (!sites.some((site) => site.name === profile.site)) {
          problems.push(
            `${at(['profiles', index, 'site'])}: profiles.${index}.site: there is no site '${profile.site}'; known are ${sites.map((site) => `'${site.name}'`).join(', ')}`,
          );
        }
        profiles.push(profile);
      });
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new FileError(problems);
  return profiles;
}

function filesOf(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory)
      .filter((name) => /\.ya?ml$/.test(name))
      .sort();
  } catch (error) {
    throw new FileError([`${directory}:1:1: cannot be read (${(error as Error).message})`]);
  }
  if (names.length === 0)
    throw new FileError([`${directory}:1:1: holds no *.yaml file; at least one profile is needed`]);
  return names.map((name) => path.join(directory, name));
}
