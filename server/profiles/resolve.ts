// A profile and a person make a spec.
import { PortalError } from '../../contract/errors.ts';
import type { Profile, Site } from '../../contract/profile.ts';
import { formatBytes, parseBytes } from '../lib/units.ts';
import type { StoredSpec } from '../spawner/spec.ts';
import type { User } from '../users/user.ts';

export interface ResolveInput {
  profile: Profile;
  site: Site;
  user: User;
  choices: Record<string, unknown>;
  sessionId: string;
  installation: string;
  title?: string;
}

/**
 * @returns the spec and one line about its resources, for example `2 CPUs · 4 GiB`
 * @throws PortalError bad-request naming every choice that the profile does not offer
 */
export function resolveProfile(input: ResolveInput): { spec: StoredSpec; resources: string } {
  const { profile, site, user, choices } = input;
  const unknown = Object.keys(choices);
  if (unknown.length > 0) {
    throw new PortalError('bad-request', {
      fields: unknown.map((key) => ({
        path: `choices.${key}`,
        value: String(choices[key]),
        message: `the profile '${profile.id}' offers no choice of this name`,
      })),
    });
  }
  const spec: StoredSpec = {
    v: 1,
    sessionId: input.sessionId,
    installation: input.installation,
    site: site.name,
    user: { id: user.id, slug: user.slug, name: user.name },
    title: input.title ?? profile.title,
    image: profile.image ?? null,
    app: profile.app,
    resources: {
      cpus: profile.resources.cpus ?? null,
      memoryBytes: profile.resources.memory === undefined ? null : parseBytes(profile.resources.memory),
      gpus: profile.resources.gpus,
    },
    env: profile.env,
    walltimeSeconds: profile.walltimeSeconds ?? null,
    maxAgeSeconds: site.maxAgeSeconds,
    awaySeconds: site.awaySeconds,
    readyTimeoutSeconds: profile.readyTimeoutSeconds,
  };
  return { spec, resources: resourcesLine(profile) };
}

/** @returns for example `2 CPUs · 4 GiB · 1 GPU`; empty when the profile names none */
export function resourcesLine(profile: Profile): string {
  const { cpus, memory, gpus } = profile.resources;
  const parts: string[] = [];
  if (cpus !== undefined) parts.push(`${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'}`);
  if (memory !== undefined) parts.push(formatBytes(parseBytes(memory)));
  if (gpus > 0) parts.push(`${gpus} ${gpus === 1 ? 'GPU' : 'GPUs'}`);
  return parts.join(' · ');
}
