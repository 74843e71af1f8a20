// The file of sites.
import { SitesFile, type Site } from '../../contract/profile.ts';
import { FileError, readYaml } from '../lib/yaml-file.ts';

/** Kinds of site that this program can run. */
const known = new Set<Site['kind']>(['local']);

/**
 * @throws FileError with every mistake, each with file, line and column
 */
export function loadSites(file: string): Site[] {
  const { value, at } = readYaml(file, SitesFile);
  const problems: string[] = [];
  const seen = new Map<string, number>();
  value.sites.forEach((site, index) => {
    const first = seen.get(site.name);
    if (first !== undefined)
      problems.push(
        `${at(['sites', index, 'name'])}: sites.${index}.name: '${site.name}' is used already at ${at(['sites', first, 'name'])}; names must differ`,
      );
    else seen.set(site.name, index);
    if (!known.has(site.kind))
      problems.push(
        `${at(['sites', index, 'kind'])}: sites.${index}.kind: '${site.kind}' is not supported by this version; use 'local'`,
      );
    if (site.agentUrl !== undefined && !agentUrlIsSafe(site.agentUrl)) {
      problems.push(
        `${at(['sites', index, 'agentUrl'])}: sites.${index}.agentUrl: '${site.agentUrl}' must be https unless it is loopback`,
      );
    }
  });
  if (problems.length > 0) throw new FileError(problems);
  return value.sites;
}

function agentUrlIsSafe(text: string): boolean {
  const url = new URL(text);
  return url.protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
}
