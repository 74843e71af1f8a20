// The phases of a start as a list: icon, words, how long each took; the current one moves.
import { IconCheck, IconCircle } from '@tabler/icons-react';
import type { TimelineRow } from '../../../contract/api.ts';
import { isEnd, type SessionState } from '../../../contract/states.ts';
import { t } from '../messages/en.ts';
import { duration } from '../time.ts';
import { stateIcon, stateWord } from './StateBadge.tsx';

const order: SessionState[] = [
  'checking',
  'preparing',
  'submitted',
  'accepted',
  'queued',
  'booting',
  'starting',
  'connecting',
  'ready',
];
/** Shown although they have not come (yet); the others appear when they do. */
const always = new Set<SessionState>(['checking', 'submitted', 'starting', 'ready']);

interface Phase {
  state: SessionState;
  from: number;
  until: number | undefined;
}

export function Phases({ timeline, state, now }: { timeline: TimelineRow[]; state: SessionState; now: number }) {
  const passed = phasesOf(timeline);
  const current = order.indexOf(state);
  const shown = order.filter((one) => passed.has(one) || (always.has(one) && !isEnd(state) && state !== 'stopping'));
  return (
    <ol className="phases" aria-label={t('progress.title')}>
      {shown.map((one) => {
        const phase = passed.get(one);
        const isCurrent = one === state && state !== 'ready';
        const done = phase !== undefined && !isCurrent;
        const Symbol = done ? IconCheck : isCurrent ? stateIcon(one) : IconCircle;
        const seconds = phase ? ((phase.until ?? now) - phase.from) / 1000 : undefined;
        return (
          <li key={one} className="phase" aria-current={isCurrent ? 'step' : undefined}>
            <Symbol size={20} aria-hidden className={isCurrent ? 'pulse' : ''} />
            <span
              style={{ fontWeight: isCurrent ? 650 : 400 }}
              className={phase || order.indexOf(one) <= current ? '' : 'dim'}
            >
              {stateWord(one)}
              {isCurrent && <div className="dim">{timeline.at(-1)?.words}</div>}
            </span>
            <span className="dim">
              {seconds !== undefined && one !== 'ready' && (seconds < 1 && !isCurrent ? '< 1 s' : duration(seconds))}
              {isCurrent && ` ${t('progress.waited')}`}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

/** How long each phase took in all; a phase that came twice adds up. */
function phasesOf(timeline: TimelineRow[]): Map<SessionState, Phase> {
  const phases = new Map<SessionState, Phase>();
  timeline.forEach((row, index) => {
    const next = timeline[index + 1];
    const from = Date.parse(row.at);
    const until = next ? Date.parse(next.at) : undefined;
    const known = phases.get(row.state);
    if (!known) phases.set(row.state, { state: row.state, from, until });
    else phases.set(row.state, { ...known, from: known.from + (from - (known.until ?? from)), until });
  });
  return phases;
}
