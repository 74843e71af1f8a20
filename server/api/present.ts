// The only way out to JSON: rows become views; no column leaks by accident.
import type { ProfileView, SessionView, SiteView, TimelineRow } from '../../contract/api.ts';
import type { Profile } from '../../contract/profile.ts';
import { resourcesLine } from '../profiles/resolve.ts';
import type { SessionRow, TimelineEntry } from '../sessions/index.ts';
import type { SiteEntry, SiteRegistry } from '../sites/registry.ts';

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();
const isoOrNull = (milliseconds: number | null): string | null => (milliseconds === null ? null : iso(milliseconds));

export function presentSession(row: SessionRow, originOf: (host: string) => string): SessionView {
  return {
    id: row.id,
    title: row.title,
    state: row.state,
    cause: row.cause,
    profile: { id: row.profileId, title: row.profileTitle },
    site: { name: row.site, title: row.siteTitle },
    resources: row.resources,
    url: `${originOf(row.host)}/`,
    jobId: row.jobId,
    node: row.node,
    createdAt: iso(row.createdAt),
    appStartedAt: isoOrNull(row.situation.app?.startingAt ?? null),
    appAnsweredAt: isoOrNull(row.situation.app?.readyAt ?? null),
    readyAt: isoOrNull(row.readyAt),
    endedAt: isoOrNull(row.endedAt),
    endsAt: isoOrNull(row.endsAt),
    words: row.words,
  };
}

export function presentTimeline(entry: TimelineEntry): TimelineRow {
  return {
    id: entry.id,
    at: iso(entry.at),
    state: entry.state,
    words: entry.words,
    cause: entry.cause,
    ...(entry.raw === null || entry.raw === undefined ? {} : { raw: entry.raw }),
  };
}

export async function presentSite({ site }: SiteEntry, sites: SiteRegistry): Promise<SiteView> {
  const { health, message } = await sites.health(site.name);
  return { name: site.name, title: site.title, class: site.class, health, message };
}

export async function presentProfile(profile: Profile, entry: SiteEntry, sites: SiteRegistry): Promise<ProfileView> {
  return {
    id: profile.id,
    title: profile.title,
    description: profile.description,
    icon: profile.icon,
    site: await presentSite(entry, sites),
    resources: resourcesLine(profile),
  };
}
