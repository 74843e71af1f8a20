// What a person can do with a session; errors are said in a notification, the list is asked again.
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { useLocation } from 'wouter';
import type { SessionView } from '../../../contract/api.ts';
import { api, ApiError } from '../api.ts';
import { t } from '../messages/en.ts';
import { rememberStart } from '../pages/follow.ts';

const complain = (error: Error): void => {
  notifications.show({ color: 'red', title: t('error.title'), message: error.message, role: 'alert' });
};

/** Starts a session of a profile and shows its progress. Pressing twice, or again after a lost answer, starts one. */
export function useStart(): { start: (profile: string) => void; isPending: boolean } {
  const queries = useQueryClient();
  const [, go] = useLocation();
  // One key per intent; a new one when it is settled for certain.
  const key = useRef(crypto.randomUUID());
  const mutation = useMutation({
    mutationFn: (profile: string) => api.start({ profile }, key.current),
    onSuccess: (session) => {
      key.current = crypto.randomUUID();
      rememberStart(session.id);
      void queries.invalidateQueries({ queryKey: ['sessions'] });
      void queries.invalidateQueries({ queryKey: ['me'] });
      go(`/sessions/${session.id}`);
    },
    onError: (error) => {
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) key.current = crypto.randomUUID();
      complain(error);
    },
  });
  const { isPending, mutate } = mutation;
  return { start: (profile) => isPending || mutate(profile), isPending };
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
