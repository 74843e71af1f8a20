// Sessions first, then what can be started, grouped by site.
import { Group, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { Me, ProfileView } from '../../../contract/api.ts';
import { isEnd } from '../../../contract/states.ts';
import { api } from '../api.ts';
import { t } from '../messages/en.ts';
import { Failure } from '../parts/Failure.tsx';
import { ProfileCard } from '../parts/ProfileCard.tsx';
import { SessionCard } from '../parts/SessionCard.tsx';
import { useNow } from '../time.ts';

export function Home({ me }: { me: Me }) {
  const sessions = useQuery({ queryKey: ['sessions'], queryFn: api.sessions });
  const profiles = useQuery({ queryKey: ['profiles'], queryFn: api.profiles });
  const now = useNow(30);
  useEffect(() => {
    document.title = t('product');
  }, []);
  if (sessions.error) return <Failure error={sessions.error} retry={() => void sessions.refetch()} />;
  if (profiles.error) return <Failure error={profiles.error} retry={() => void profiles.refetch()} />;
  const live = sessions.data?.filter((session) => !isEnd(session.state)) ?? [];
  const ended = sessions.data?.filter((session) => isEnd(session.state)) ?? [];
  return (
    <>
      <section aria-labelledby="sessions-title" style={{ marginBottom: 40 }}>
        <Group justify="space-between" align="baseline" mb="md">
          <Title order={1} size="h3" id="sessions-title">
            {t('home.sessions')}
          </Title>
          <Text size="sm" className="dim">
            {live.length} {t('quota.of')} {me.quota.sessions} {t('quota.used')}
          </Text>
        </Group>
        {sessions.isSuccess && sessions.data.length === 0 && <Text className="dim">{t('home.empty')}</Text>}
        <div className="grid">
          {live.map((session) => (
            <SessionCard key={session.id} session={session} now={now} level={2} />
          ))}
        </div>
      </section>
      <section aria-labelledby="start-title" style={{ marginBottom: 40 }}>
        <Title order={2} size="h3" id="start-title" mb="md">
          {t('home.start')}
        </Title>
        {profiles.data?.length === 0 && <Text className="dim">{t('home.noProfiles')}</Text>}
        {bySite(profiles.data ?? []).map(([site, list]) => (
          <div key={site} style={{ marginBottom: 24 }}>
            <Text component="h3" size="sm" className="dim" fw={600} mb="xs" mt={0}>
              {site}
            </Text>
            <div className="grid">
              {list.map((profile) => (
                <ProfileCard key={profile.id} profile={profile} />
              ))}
            </div>
          </div>
        ))}
      </section>
      {ended.length > 0 && (
        <section aria-labelledby="ended-title">
          <Title order={2} size="h4" id="ended-title" mb="md">
            {t('home.ended')}
          </Title>
          <div className="grid">
            {ended.map((session) => (
              <SessionCard key={session.id} session={session} now={now} level={3} />
            ))}
          </div>
        </section>
      )}
    </>
  );
}

function bySite(profiles: ProfileView[]): [string, ProfileView[]][] {
  const groups = new Map<string, ProfileView[]>();
  for (const profile of profiles) groups.set(profile.site.title, [...(groups.get(profile.site.title) ?? []), profile]);
  return [...groups];
}
