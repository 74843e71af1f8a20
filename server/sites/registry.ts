// Sites with their spawners; health is asked at most once a minute, of a site that is down every five seconds.
import type { Site } from '../../contract/profile.ts';
import type { Clock } from '../lib/clock.ts';
import type { SiteHealth, Spawner } from '../spawner/spawner.ts';

export interface SiteEntry {
  site: Site;
  spawner: Spawner;
  /** What agents of this site dial. */
  agentUrl: string;
}

const healthMs = 60_000;
/** A site that is down is asked again sooner: somebody may just have repaired it. */
const downMs = 5000;
const unanswered: SiteHealth = { health: 'unknown', message: 'The site has not answered yet.' };

export class SiteRegistry {
  readonly #entries: Map<string, SiteEntry>;
  readonly #clock: Clock;
  readonly #health = new Map<string, { at: number; answer: Promise<SiteHealth> }>();

  constructor(entries: SiteEntry[], clock: Clock) {
    this.#entries = new Map(entries.map((entry) => [entry.site.name, entry]));
    this.#clock = clock;
  }

  get(name: string): SiteEntry | undefined {
    return this.#entries.get(name);
  }

  list(): SiteEntry[] {
    return [...this.#entries.values()];
  }

  async health(name: string): Promise<SiteHealth> {
    const entry = this.#entries.get(name);
    if (!entry) return unanswered;
    const known = this.#health.get(name);
    if (known) {
      const last = await known.answer;
      if (this.#clock.now() - known.at < (last.health === 'down' ? downMs : healthMs)) return last;
    }
    const answer = entry.spawner.check().catch((error: unknown): SiteHealth => ({
      health: 'unknown',
      message: error instanceof Error ? error.message : String(error),
    }));
    this.#health.set(name, { at: this.#clock.now(), answer });
    return await answer;
  }
}
