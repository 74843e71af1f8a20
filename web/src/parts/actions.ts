// What a person can do with a session; errors are said in a notification, the list is asked again.
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import type { SessionView } from '../../../contract/api.ts';
import { api } from '../api.ts';
import { t } from '../messages/en.ts';
import { rememberStart } from '../pages/follow.ts';

const complain = (error: Error): void => {
  notifications.show({ color: 'red', title: t('error.title'), message: error.message, role: 'alert' });
};

/** Starts a session of a profile and shows its progress. A double click starts one. */
export function useStart() {
  const queries = useQueryClient();
  const [, go] = useLocation();
  return useMutation({
    mutationFn: ({ profile, key }: { profile: string; key: string }) => api.start({ profile }, key),
    onSuccess: (session) => {
      rememberStart(session.id);
      void queries.invalidateQueries({ queryKey: ['sessions'] });
      void queries.invalidateQueries({ queryKey: ['me'] });
      go(`/sessions/${session.id}`);
    },
    onError: complain,
  });
}

export function useSessionAction(kind: 'stop' | 'forget' | 'remove') {
  const queries = useQueryClient();
  return useMutation<unknown, Error, SessionView>({
    mutationFn: ({ id }) => api[kind](id),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ['sessions'] });
      void queries.invalidateQueries({ queryKey: ['me'] });
    },
    onError: complain,
  });
}
