import { Button, Group, Text } from '@mantine/core';
import { IconChartLine, IconCode, IconCpu2, IconNotebook, IconTerminal2, type Icon } from '@tabler/icons-react';
import type { ProfileView } from '../../../contract/api.ts';
import { t } from '../messages/en.ts';
import { useStart } from './actions.ts';

const icons: Record<string, Icon> = {
  notebook: IconNotebook,
  gpu: IconCpu2,
  terminal: IconTerminal2,
  code: IconCode,
  chart: IconChartLine,
};

export function ProfileCard({ profile }: { profile: ProfileView }) {
  const { start, isPending } = useStart();
  const Symbol = icons[profile.icon ?? 'notebook'] ?? IconNotebook;
  const down = profile.site.health === 'down';
  return (
    <article className="card" aria-labelledby={`p-${profile.id}`}>
      <Group gap="sm" wrap="nowrap" mb={4}>
        <Symbol size={24} aria-hidden />
        <Text id={`p-${profile.id}`} component="h4" fw={650} m={0} fz="md">
          {profile.title}
        </Text>
      </Group>
      <Text size="sm" className="words dim">
        {down ? `${t('site.down')} ${profile.site.message ?? ''}` : profile.description}
      </Text>
      <Group justify="space-between" mt="sm" wrap="nowrap">
        <Text size="sm" className="dim">
          {profile.resources}
        </Text>
        <Button
          aria-label={`${t('action.start')} ${profile.title}`}
          loading={isPending}
          disabled={down}
          onClick={() => start(profile.id)}
        >
          {t('action.start')}
        </Button>
      </Group>
    </article>
  );
}
