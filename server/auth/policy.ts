// Who may log in and who administers: rules on claims and groups. Deny by default for external issuers.
import type { AccessRule } from '../config/schema.ts';

export interface Subject {
  groups: string[];
  claims: Record<string, unknown>;
}

/** @returns the value at a dotted path, or undefined */
export function claimAt(claims: Record<string, unknown>, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let at: unknown = claims;
  for (const part of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}

/** @returns the strings of a claim that lists groups; a single string counts as a list of one */
export function groupsAt(claims: Record<string, unknown>, path: string): string[] {
  const value = claimAt(claims, path);
  const list = Array.isArray(value) ? value : [value];
  return list.filter((group): group is string => typeof group === 'string' && group !== '');
}

/** @returns whether every given part of the rule holds, for one person after another */
function makeRule({ groups, claim, equals, matches }: AccessRule): (subject: Subject) => boolean {
  const pattern = matches === undefined ? undefined : new RegExp(`^(?:${matches})$`);
  return (subject) => {
    if (!groups && claim === undefined) return false;
    if (groups?.any && !groups.any.some((group) => subject.groups.includes(group))) return false;
    if (groups?.all && !groups.all.every((group) => subject.groups.includes(group))) return false;
    if (groups && !groups.any && !groups.all) return false;
    if (claim === undefined) return true;
    const value = claimAt(subject.claims, claim);
    const values = Array.isArray(value) ? value : [value];
    if (equals === undefined && !pattern) return value !== undefined && value !== false && value !== null;
    return values.some(
      (one) => (equals === undefined || one === equals) && (!pattern || (typeof one === 'string' && pattern.test(one))),
    );
  };
}

export interface Policy {
  mayLogIn(subject: Subject): boolean;
  isAdmin(subject: Subject): boolean;
  /** The rules in words, for the page that says why somebody was refused. */
  explain(): string[];
}

/**
 * @param allow undefined = no rules: everybody with demo people, nobody with an external issuer
 */
export function makePolicy(allow: AccessRule[] | undefined, admins: AccessRule[], demoPeople: boolean): Policy {
  const allowing = allow?.map(makeRule);
  const administering = admins.map(makeRule);
  return {
    mayLogIn: (subject) => (allowing === undefined ? demoPeople : allowing.some((holds) => holds(subject))),
    isAdmin: (subject) => administering.some((holds) => holds(subject)),
    explain: () => (allow ?? []).map(inWords),
  };
}

function inWords(rule: AccessRule): string {
  const parts: string[] = [];
  if (rule.groups?.any) parts.push(`a member of ${rule.groups.any.join(' or ')}`);
  if (rule.groups?.all) parts.push(`a member of ${rule.groups.all.join(' and ')}`);
  if (rule.claim !== undefined)
    parts.push(
      `known with '${rule.claim}'${rule.equals === undefined ? '' : ` = ${rule.equals}`}${rule.matches === undefined ? '' : ` like ${rule.matches}`}`,
    );
  return parts.join(' and ');
}
