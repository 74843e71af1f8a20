import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../api.ts';
import { t } from '../messages/en.ts';

/** The last lines of a session's log, folded; asked for only while it is open. */
export function LogTail({ id, live, open: initially }: { id: string; live: boolean; open: boolean }) {
  const [open, setOpen] = useState(initially);
  const log = useQuery({
    queryKey: ['log', id],
    queryFn: () => api.log(id),
    enabled: open,
    refetchInterval: open && live ? 2000 : false,
  });
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t('progress.log')}</summary>
      {log.error && <Text size="sm">{log.error.message}</Text>}
      <pre className="log" tabIndex={0} aria-label={t('progress.log')}>
        {log.data?.lines.join('\n') || t('progress.logEmpty')}
      </pre>
    </details>
  );
}
