// Routes, and who is here: without a login there is one page.
import { Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Route, Switch } from 'wouter';
import { api, ApiError } from './api.ts';
import { useLiveSessions } from './live.ts';
import { t } from './messages/en.ts';
import { Account } from './pages/Account.tsx';
import { Home } from './pages/Home.tsx';
import { SessionPage } from './pages/SessionPage.tsx';
import { SignIn } from './pages/SignIn.tsx';
import { Failure } from './parts/Failure.tsx';
import { Shell } from './parts/Shell.tsx';

export function App() {
  const me = useQuery({ queryKey: ['me'], queryFn: api.me });
  const up = useLiveSessions(me.isSuccess);
  if (me.isPending) {
    return (
      <Shell>
        <Loader aria-label={t('loading')} />
      </Shell>
    );
  }
  const notLoggedIn = me.error instanceof ApiError && me.error.status === 401;
  // A server that is away takes no page from anybody who was here.
  if (me.error && (notLoggedIn || !me.data)) {
    return <Shell>{notLoggedIn ? <SignIn /> : <Failure error={me.error} retry={() => void me.refetch()} />}</Shell>;
  }
  return (
    <Shell me={me.data} live={up}>
      <Switch>
        <Route path="/">
          <Home me={me.data} />
        </Route>
        <Route path="/sessions/:id">{({ id }) => <SessionPage key={id} id={id} />}</Route>
        <Route path="/account">
          <Account me={me.data} />
        </Route>
        <Route>
          <Failure error={new ApiError(404, 'not-found', t('error.notFound'))} />
        </Route>
      </Switch>
    </Shell>
  );
}
