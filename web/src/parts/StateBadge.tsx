// State = icon + word + colour, never colour alone.
import {
  IconAlertTriangle,
  IconCheck,
  IconCircleDashed,
  IconClock,
  IconFlag,
  IconLoader,
  IconPlayerStop,
  IconPlugConnectedX,
  IconX,
  type Icon,
} from '@tabler/icons-react';
import type { SessionState } from '../../../contract/states.ts';

interface Look {
  word: string;
  tone: 'ready' | 'working' | 'queued' | 'ending' | 'lost' | 'failed' | 'ended';
  icon: Icon;
}

const looks: Record<SessionState, Look> = {
  checking: { word: 'Checking', tone: 'working', icon: IconCircleDashed },
  preparing: { word: 'Preparing', tone: 'working', icon: IconLoader },
  submitted: { word: 'Handed over', tone: 'working', icon: IconLoader },
  accepted: { word: 'Accepted', tone: 'working', icon: IconLoader },
  queued: { word: 'Waiting', tone: 'queued', icon: IconClock },
  booting: { word: 'Booting', tone: 'working', icon: IconLoader },
  starting: { word: 'Starting', tone: 'working', icon: IconLoader },
  connecting: { word: 'Connecting', tone: 'working', icon: IconLoader },
  ready: { word: 'Ready', tone: 'ready', icon: IconCheck },
  lost: { word: 'Contact lost', tone: 'lost', icon: IconPlugConnectedX },
  stopping: { word: 'Stopping', tone: 'ending', icon: IconPlayerStop },
  finished: { word: 'Finished', tone: 'ended', icon: IconFlag },
  stopped: { word: 'Stopped', tone: 'ended', icon: IconPlayerStop },
  cancelled: { word: 'Cancelled', tone: 'ended', icon: IconX },
  failed: { word: 'Failed', tone: 'failed', icon: IconAlertTriangle },
};

/** @returns the word for a state */
export const stateWord = (state: SessionState): string => looks[state].word;
/** @returns icon of a state */
export const stateIcon = (state: SessionState): Icon => looks[state].icon;

export function StateBadge({ state }: { state: SessionState }) {
  const { word, tone, icon: Symbol } = looks[state];
  const moving = tone === 'working' || tone === 'queued' || tone === 'ending';
  return (
    <span className={`state state-${tone}`}>
      <Symbol size={16} aria-hidden className={moving ? 'pulse' : ''} />
      {word}
    </span>
  );
}
