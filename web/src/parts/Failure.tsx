// A refusal as a sentence, with its code; the number of an incident one look further.
import { Button, Text, Title } from '@mantine/core';
import { ApiError } from '../api.ts';
import { t } from '../messages/en.ts';

export function Failure({ error, retry }: { error: Error; retry?: () => void }) {
  const known = error instanceof ApiError ? error : undefined;
  return (
    <section className="card" role="alert" style={{ maxWidth: 640 }}>
      <Title order={1} size="h3" mb="sm">
        {t('error.title')}
      </Title>
      <Text mb="md">{error.message}</Text>
      {retry && (
        <Button onClick={retry} mb="md">
          {t('action.retry')}
        </Button>
      )}
      {known && (
        <Text size="sm" className="dim">
          {known.code}
          {known.incident && ` · ${known.incident}`}
        </Text>
      )}
    </section>
  );
}
