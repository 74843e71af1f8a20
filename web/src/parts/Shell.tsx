// Top bar and content, the same on every page.
import { Group, Menu, Text, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { IconLogout, IconMoonStars, IconSettings, IconSun, IconUser } from '@tabler/icons-react';
import { useEffect, useRef, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import type { Me } from '../../../contract/api.ts';
import { t } from '../messages/en.ts';
import { Mark } from './Mark.tsx';

export function Shell({ me, live, children }: { me?: Me; live?: boolean; children: ReactNode }) {
  const main = useRef<HTMLElement>(null);
  const [path] = useLocation();
  const first = useRef(true);
  useEffect(() => {
    // A change of page is announced by moving the focus, as a load would.
    if (first.current) first.current = false;
    else main.current?.focus();
  }, [path]);
  return (
    <>
      <a className="skip" href="#content">
        {t('skip')}
      </a>
      <header className="top">
        <Group className="shell" h={56} justify="space-between" wrap="nowrap">
          <Link href="/" className="mark">
            <Mark />
            {t('product')}
          </Link>
          <Group gap="xs" wrap="nowrap">
            <ThemeMenu />
            {me && <PersonMenu me={me} />}
          </Group>
        </Group>
      </header>
      {live === false && (
        <output className="shell">
          <Text size="sm" className="state state-lost" mt="sm">
            {t('live.lost')}
          </Text>
        </output>
      )}
      <main
        id="content"
        className="shell"
        ref={main}
        tabIndex={-1}
        style={{ outline: 'none', paddingTop: 24, paddingBottom: 64 }}
      >
        {children}
      </main>
    </>
  );
}

function ThemeMenu() {
  const { setColorScheme } = useMantineColorScheme();
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <UnstyledButton p={8} style={{ lineHeight: 0 }} aria-label={t('theme.label')}>
          <IconSun size={20} aria-hidden />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconSun size={16} aria-hidden />} onClick={() => setColorScheme('light')}>
          {t('theme.light')}
        </Menu.Item>
        <Menu.Item leftSection={<IconMoonStars size={16} aria-hidden />} onClick={() => setColorScheme('dark')}>
          {t('theme.dark')}
        </Menu.Item>
        <Menu.Item leftSection={<IconSettings size={16} aria-hidden />} onClick={() => setColorScheme('auto')}>
          {t('theme.auto')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function PersonMenu({ me }: { me: Me }) {
  const [, go] = useLocation();
  const form = useRef<HTMLFormElement>(null);
  return (
    <>
      <form ref={form} method="post" action="/auth/logout" hidden />
      <Menu position="bottom-end">
        <Menu.Target>
          <UnstyledButton p={8}>
            <Group gap={6} wrap="nowrap">
              <IconUser size={20} aria-hidden />
              <Text size="sm" maw={160} truncate>
                {me.name}
              </Text>
            </Group>
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconUser size={16} aria-hidden />} onClick={() => go('/account')}>
            {t('account.title')}
          </Menu.Item>
          <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => form.current?.submit()}>
            {t('action.logout')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}
