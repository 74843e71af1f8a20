// A session in five lines: title and state; where; what it has; time; actions. Its height never changes.
import { Group, Text } from '@mantine/core';
import { Link } from 'wouter';
import type { SessionView } from '../../../contract/api.ts';
import { isEnd } from '../../../contract/states.ts';
import { t } from '../messages/en.ts';
import { absolute, ago, duration } from '../time.ts';
import { SessionActions } from './SessionActions.tsx';
import { StateBadge } from './StateBadge.tsx';

interface SessionCardProps {
  session: SessionView;
  now: number;
  /** Of its heading. */
  level: 2 | 3;
}

export function SessionCard({ session, now, level }: SessionCardProps) {
  const where = [session.site.title, session.profile.title, session.jobId ? `job ${session.jobId}` : null, session.node]
    .filter(Boolean)
    .join(' · ');
  return (
    <article className="card" aria-labelledby={`s-${session.id}`}>
      <Group justify="space-between" wrap="nowrap" mb={4}>
        <Text id={`s-${session.id}`} component={level === 2 ? 'h2' : 'h3'} fw={650} truncate m={0} fz="md">
          <Link href={`/sessions/${session.id}`} style={{ color: 'inherit' }}>
            {session.title}
          </Link>
        </Text>
        <StateBadge state={session.state} />
      </Group>
      <Text size="sm" className="line dim" title={where}>
        {where}
      </Text>
      <Text size="sm" className="line dim">
        {session.resources}
      </Text>
      <Text size="sm" className="line">
        {session.state === 'ready' ? <Times session={session} now={now} /> : session.words}
      </Text>
      <Text size="sm" className="line dim" mb={8}>
        {session.state === 'ready' ? '' : <Times session={session} now={now} />}
      </Text>
      <SessionActions session={session} />
    </article>
  );
}

function Times({ session, now }: { session: SessionView; now: number }) {
  const since = isEnd(session.state) && session.endedAt ? session.endedAt : session.createdAt;
  const left = session.endsAt && !isEnd(session.state) ? (Date.parse(session.endsAt) - now) / 1000 : undefined;
  return (
    <span title={absolute(since)}>
      {isEnd(session.state) ? t('time.ended') : t('time.started')} {ago(since, now)}
      {left !== undefined && ` · ${duration(left)} ${t('time.left')}`}
    </span>
  );
}
