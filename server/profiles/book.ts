// The profiles in force, and who sees which: groups decide at list and again at start.
import type { Profile } from '../../contract/profile.ts';

export interface ProfileBook {
  /** @param groups of the person */
  visible(groups: readonly string[]): Profile[];
  all(): Profile[];
}

export function makeProfileBook(profiles: readonly Profile[]): ProfileBook {
  return {
    visible: (groups) => profiles.filter((profile) => isVisible(profile, groups)),
    all: () => [...profiles],
  };
}

/** No `groups`: everybody who may log in. */
export function isVisible(profile: Profile, groups: readonly string[]): boolean {
  const { any, all } = profile.groups ?? {};
  if (any && !any.some((group) => groups.includes(group))) return false;
  return !all || all.every((group) => groups.includes(group));
}
