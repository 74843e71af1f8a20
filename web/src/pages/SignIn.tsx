import { Button, Text, Title } from '@mantine/core';
import { useEffect } from 'react';
import { useLocation } from 'wouter';
import { t } from '../messages/en.ts';

export function SignIn() {
  const [path] = useLocation();
  useEffect(() => {
    document.title = `${t('signin.button')} - ${t('product')}`;
  }, []);
  return (
    <section className="card" style={{ maxWidth: 560, margin: '8vh auto 0', padding: 32 }}>
      <Title order={1} size="h2" mb="sm">
        {t('signin.title')}
      </Title>
      <Text mb="lg">{t('signin.text')}</Text>
      <Button component="a" size="md" href={`/auth/login?to=${encodeURIComponent(path)}`}>
        {t('signin.button')}
      </Button>
    </section>
  );
}
