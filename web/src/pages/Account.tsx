import { Badge, Button, Group, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { Me } from '../../../contract/api.ts';
import { api } from '../api.ts';
import { t } from '../messages/en.ts';
import { browserName } from '../browser-name.ts';
import { Failure } from '../parts/Failure.tsx';
import { absolute, ago, useNow } from '../time.ts';

export function Account({ me }: { me: Me }) {
  const queries = useQueryClient();
  const logins = useQuery({ queryKey: ['logins'], queryFn: api.logins });
  const end = useMutation({
    mutationFn: (id: string) => api.endLogin(id),
    onSettled: (_data, _error, id) =>
      void queries.invalidateQueries({ queryKey: id === me.loginId ? ['me'] : ['logins'] }),
  });
  const now = useNow(30);
  useEffect(() => {
    document.title = `${t('account.title')} - ${t('product')}`;
  }, []);
  return (
    <div style={{ maxWidth: 720 }}>
      <Title order={1} size="h3" mb="xs">
        {t('account.title')}
      </Title>
      <Text mb="lg">
        {me.name}
        {me.email && <span className="dim"> · {me.email}</span>}
      </Text>
      <section className="card" style={{ marginBottom: 16 }}>
        <Title order={2} size="h5" mb="sm">
          {t('account.groups')}
        </Title>
        {me.groups.length === 0 ? <Text>{t('account.noGroups')}</Text> : <Text>{me.groups.join(', ')}</Text>}
      </section>
      <section className="card">
        <Title order={2} size="h5" mb="sm">
          {t('account.logins')}
        </Title>
        {logins.error && <Failure error={logins.error} />}
        <ul style={{ listStyle: 'none', padding: 0, margin: 0 }}>
          {logins.data?.map((login) => (
            <li key={login.id} style={{ padding: '8px 0' }}>
              <Group justify="space-between" wrap="nowrap">
                <div style={{ minWidth: 0 }}>
                  <Text size="sm" truncate title={login.userAgent}>
                    {browserName(login.userAgent) || login.address}
                  </Text>
                  <Text size="sm" className="dim" title={absolute(login.seenAt)}>
                    {login.address} · {t('account.seen')} {ago(login.seenAt, now)}{' '}
                    {login.isThis && (
                      <Badge variant="light" tt="none">
                        {t('account.this')}
                      </Badge>
                    )}
                  </Text>
                </div>
                <Button variant="default" size="xs" onClick={() => end.mutate(login.id)} style={{ flexShrink: 0 }}>
                  {t('action.revoke')}
                </Button>
              </Group>
            </li>
          ))}
        </ul>
      </section>
    </div>
  );
}
