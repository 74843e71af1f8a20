// The one main action of a session, and the rest in a menu.
import { ActionIcon, Button, Group, Menu } from '@mantine/core';
import { IconDots, IconExternalLink } from '@tabler/icons-react';
import { useState } from 'react';
import { useLocation } from 'wouter';
import type { SessionView } from '../../../contract/api.ts';
import { isEnd } from '../../../contract/states.ts';
import { t } from '../messages/en.ts';
import { useSessionAction, useStart } from './actions.ts';
import { Confirm } from './Confirm.tsx';

type Question = 'stop' | 'forget' | 'remove' | 'again';

interface SessionActionsProps {
  session: SessionView;
  onPage?: boolean;
  /** A link asked to start it again: the person is asked once more. */
  askAgain?: boolean;
}

export function SessionActions({ session, onPage = false, askAgain = false }: SessionActionsProps) {
  const [question, setQuestion] = useState<Question | undefined>(askAgain ? 'again' : undefined);
  const [, go] = useLocation();
  const { start, isPending } = useStart();
  const actions = {
    stop: useSessionAction('stop'),
    forget: useSessionAction('forget'),
    remove: useSessionAction('remove'),
  };
  const ended = isEnd(session.state);
  const ready = session.state === 'ready';
  const again = (): void => start(session.profile.id);
  const texts: Record<Question, [title: string, text: string, button: string]> = {
    stop: [`${t('stop.title')} “${session.title}”?`, t('stop.text'), t('action.stop')],
    forget: [`${t('forget.title')} “${session.title}”?`, t('forget.text'), t('action.forget')],
    again: [`${t('action.startAgain')}: “${session.title}”?`, t('again.text'), t('action.startAgain')],
    remove: [`${t('delete.title')}: “${session.title}”?`, t('delete.text'), t('action.delete')],
  };
  const [title, text, button] = texts[question ?? 'stop'];
  return (
    <Group justify="space-between" wrap="nowrap" h={36}>
      <Main
        session={session}
        onCancel={() => actions.stop.mutate(session)}
        onAgain={again}
        busy={isPending}
        onStop={() => setQuestion('stop')}
      />
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray.7" size={36} aria-label={`${t('action.more')} ${session.title}`}>
            <IconDots size={20} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {!onPage && <Menu.Item onClick={() => go(`/sessions/${session.id}`)}>{t('action.details')}</Menu.Item>}
          {!ended && session.state !== 'stopping' && (
            <Menu.Item onClick={() => setQuestion('stop')}>{t('action.stop')}</Menu.Item>
          )}
          {session.state === 'lost' && (
            <Menu.Item onClick={() => setQuestion('forget')}>{t('action.forget')}</Menu.Item>
          )}
          {(ended || ready) && (
            <Menu.Item onClick={again} disabled={isPending}>
              {t('action.startAgain')}
            </Menu.Item>
          )}
          {ended && <Menu.Item onClick={() => setQuestion('remove')}>{t('action.delete')}</Menu.Item>}
        </Menu.Dropdown>
      </Menu>
      <Confirm
        opened={question !== undefined}
        title={title}
        text={text}
        button={button}
        loses={question !== 'again'}
        onCancel={() => setQuestion(undefined)}
        onConfirm={() => {
          if (question === 'again') again();
          else if (question)
            actions[question].mutate(session, { onSuccess: () => question === 'remove' && onPage && go('/') });
          setQuestion(undefined);
        }}
      />
    </Group>
  );
}

interface MainProps {
  session: SessionView;
  busy: boolean;
  onCancel: () => void;
  onAgain: () => void;
  onStop: () => void;
}

function Main({ session, busy, onCancel, onAgain, onStop }: MainProps) {
  if (session.state === 'ready') {
    return (
      <Button component="a" href={session.url} rightSection={<IconExternalLink size={16} aria-hidden />}>
        {t('action.open')}
      </Button>
    );
  }
  if (isEnd(session.state)) {
    return (
      <Button variant="light" onClick={onAgain} loading={busy}>
        {t('action.startAgain')}
      </Button>
    );
  }
  if (session.state === 'lost') return <Button onClick={onStop}>{t('action.stop')}</Button>;
  return (
    <Button variant="default" onClick={onCancel} disabled={session.state === 'stopping'}>
      {t('action.cancel')}
    </Button>
  );
}
