// One session: its progress while it starts, its cause when it has ended, timeline and log folded beneath.
import { Anchor, Group, Loader, Text, Title } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { Link } from 'wouter';
import { isEnd } from '../../../contract/states.ts';
import { api } from '../api.ts';
import { t } from '../messages/en.ts';
import { Failure } from '../parts/Failure.tsx';
import { LogTail } from '../parts/LogTail.tsx';
import { Phases } from '../parts/Phases.tsx';
import { SessionActions } from '../parts/SessionActions.tsx';
import { StateBadge, stateWord } from '../parts/StateBadge.tsx';
import { absolute, useNow } from '../time.ts';
import { takeStart } from './follow.ts';

export function SessionPage({ id }: { id: string }) {
  const session = useQuery({ queryKey: ['sessions', id], queryFn: () => api.session(id) });
  const now = useNow(1);
  const left = useRef(false);
  const { state, url, title } = session.data ?? {};
  useEffect(() => {
    if (state && title) document.title = `${stateWord(state)}: ${title} - ${t('product')}`;
  }, [state, title]);
  useEffect(() => {
    // Who pressed Start in this tab wants to be there; who only looks, stays.
    if (state !== 'ready' || !url || left.current || !takeStart(id)) return;
    left.current = true;
    window.location.assign(url);
  }, [state, url, id]);
  if (session.error) return <Failure error={session.error} retry={() => void session.refetch()} />;
  if (!session.data) return <Loader aria-label={t('loading')} />;
  const data = session.data;
  const failed = data.state === 'failed';
  return (
    <div style={{ maxWidth: 720 }}>
      <Anchor component={Link} href="/" size="sm" c="inherit">
        <Group gap={4}>
          <IconArrowLeft size={16} aria-hidden />
          {t('action.back')}
        </Group>
      </Anchor>
      <Group justify="space-between" mt="sm" mb={4}>
        <Title order={1} size="h3">
          {data.title}
        </Title>
        <StateBadge state={data.state} />
      </Group>
      <Text size="sm" className="dim" mb="md">
        {[data.site.title, data.profile.title, data.resources, data.node].filter(Boolean).join(' · ')}
      </Text>
      <output className="hidden">{stateWord(data.state)}</output>
      <section className="card" style={{ marginBottom: 16 }}>
        {isEnd(data.state) || data.state === 'stopping' || data.state === 'lost' ? (
          <Text mb="md" role={failed ? 'alert' : undefined} style={{ minHeight: 48 }}>
            {data.words}
          </Text>
        ) : (
          <Phases timeline={data.timeline} state={data.state} now={now} />
        )}
        <div style={{ marginTop: 16 }}>
          <SessionActions session={data} onPage askAgain={isEnd(data.state) && location.search === '?again=1'} />
        </div>
      </section>
      <section className="card" style={{ marginBottom: 16 }}>
        <LogTail key={String(failed)} id={id} live={!isEnd(data.state)} open={failed} />
      </section>
      <section className="card">
        <details>
          <summary>{t('progress.timeline')}</summary>
          <ol style={{ paddingLeft: 20 }}>
            {data.timeline.map((row) => (
              <li key={row.id}>
                <time dateTime={row.at} className="dim">
                  {absolute(row.at)}
                </time>{' '}
                {stateWord(row.state)}: {row.words}
                {row.raw !== undefined && (
                  <pre className="log" tabIndex={0}>
                    {typeof row.raw === 'string' ? row.raw : JSON.stringify(row.raw)}
                  </pre>
                )}
              </li>
            ))}
          </ol>
        </details>
      </section>
    </div>
  );
}
