// @vitest-environment happy-dom
// Changes as they happen, against a stream that the test plays: what the page shows, when it asks by itself, when it opens again.
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, cleanup, renderHook } from '@testing-library/react';
import { createElement, type ReactNode } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SessionDetail, SessionEvent, SessionView, TimelineRow } from '../../../contract/api.ts';
import { useLiveSessions } from '../../../web/src/live.ts';

/** What a browser's EventSource does as far as the page sees it. */
class Stream extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  static all: Stream[] = [];
  readyState = Stream.CONNECTING;
  readonly url: string;

  constructor(url: string) {
    super();
    this.url = url;
    Stream.all.push(this);
  }
  close(): void {
    this.readyState = Stream.CLOSED;
  }
  #tell(event: Event): void {
    act(() => void this.dispatchEvent(event));
  }
  opens(): void {
    this.readyState = Stream.OPEN;
    this.#tell(new Event('open'));
  }
  /** The connection broke; a browser opens it again by itself. */
  breaks(): void {
    this.readyState = Stream.CONNECTING;
    this.#tell(new Event('error'));
  }
  /** Any answer but 200: a browser gives up for good. */
  isRefused(): void {
    this.readyState = Stream.CLOSED;
    this.#tell(new Event('error'));
  }
  says(data: unknown): void {
    this.#tell(new MessageEvent('session', { data: JSON.stringify(data) }));
  }
}
const last = (): Stream => Stream.all.at(-1)!;
const pass = (milliseconds: number): void => act(() => void vi.advanceTimersByTime(milliseconds));

const at = '2026-05-01T12:00:00.000Z';
const session = (id: string, more: Partial<SessionView> = {}): SessionView => ({
  id,
  title: 'Work',
  state: 'starting',
  cause: null,
  profile: { id: 'jupyterlab', title: 'JupyterLab' },
  site: { name: 'here', title: 'This machine' },
  resources: '',
  url: `http://s-${id}.localhost:8000/`,
  jobId: null,
  node: null,
  createdAt: at,
  appStartedAt: null,
  appAnsweredAt: null,
  readyAt: null,
  endedAt: null,
  endsAt: null,
  words: 'The application is starting.',
  ...more,
});
const row = (id: number): TimelineRow => ({ id, at, state: 'ready', words: 'Ready.', cause: null });
const [one, two, three] = ['a', 'b', 'c'].map((letter) => letter.repeat(16)) as [string, string, string];
const event = (sessionId: string, told: SessionView | null, line: TimelineRow | null = null): SessionEvent => ({
  sessionId,
  session: told,
  row: line,
});

let queries: QueryClient;
let asked: string[];
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('EventSource', Stream);
  Stream.all = [];
  asked = [];
  queries = new QueryClient();
  vi.spyOn(queries, 'invalidateQueries').mockImplementation((filters) => {
    asked.push(String(filters?.queryKey?.[0]));
    return Promise.resolve();
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function follow(enabled = true): { isUp: () => boolean; leave: () => void } {
  const wrapper = ({ children }: { children: ReactNode }): ReactNode =>
    createElement(QueryClientProvider, { client: queries }, children);
  const { result, unmount } = renderHook(() => useLiveSessions(enabled), { wrapper });
  return { isUp: () => result.current, leave: unmount };
}
const list = (): SessionView[] | undefined => queries.getQueryData(['sessions']);
const detail = (id: string): SessionDetail | undefined => queries.getQueryData(['sessions', id]);

test('a change replaces its session in the list, a new session comes first, a deleted one goes', () => {
  queries.setQueryData(['sessions'], [session(one), session(two)]);
  follow();
  last().says(event(two, session(two, { state: 'ready' })));
  expect(list()!.map(({ id, state }) => [id, state])).toEqual([
    [one, 'starting'],
    [two, 'ready'],
  ]);
  last().says(event(three, session(three)));
  expect(list()!.map(({ id }) => id)).toEqual([three, one, two]);
  last().says(event(one, null));
  expect(list()!.map(({ id }) => id)).toEqual([three, two]);
});

test('a session that is looked at gets its change and each line of its timeline once', () => {
  queries.setQueryData(['sessions', one], { ...session(one), timeline: [row(1)] });
  follow();
  last().says(event(one, session(one, { state: 'ready' }), row(2)));
  last().says(event(one, session(one, { state: 'ready' }), row(2)));
  expect(detail(one)).toMatchObject({ state: 'ready', timeline: [{ id: 1 }, { id: 2 }] });
  last().says(event(one, session(one, { state: 'stopping' })));
  expect(detail(one)).toMatchObject({ state: 'stopping' });
  expect(detail(one)!.timeline).toHaveLength(2);
});

test('what was never asked for is not made up from a change', () => {
  follow();
  last().says(event(one, session(one), row(1)));
  expect([list(), detail(one)]).toEqual([undefined, undefined]);
});

test('an event that is not in the form of the contract changes nothing', () => {
  queries.setQueryData(['sessions'], [session(one)]);
  follow();
  last().says({ ...event(one, null), sessionId: 'nonsense' });
  last().says({ sessionId: one });
  expect(list()).toEqual([session(one)]);
});

test('whenever the stream opens, the list is asked for: something may have been missed', () => {
  follow();
  expect(Stream.all.map(({ url }) => url)).toEqual(['/api/events']);
  last().opens();
  last().breaks();
  last().opens();
  expect(asked).toEqual(['sessions', 'sessions']);
});

test('a break is shown only when it lasts 4 s, and no longer than it lasts', () => {
  const { isUp } = follow();
  last().opens();
  last().breaks();
  pass(2000);
  last().breaks();
  pass(1999);
  expect(isUp()).toBe(true);
  last().opens();
  pass(60_000);
  expect(isUp()).toBe(true);
  last().breaks();
  pass(2000);
  last().breaks();
  pass(2000);
  expect(isUp()).toBe(false);
  last().opens();
  expect(isUp()).toBe(true);
});

test('while the stream is away the list is asked for every 15 s, and not while it is there', () => {
  follow();
  last().opens();
  asked = [];
  pass(60_000);
  expect(asked).toEqual([]);
  last().breaks();
  pass(30_000);
  expect(asked).toEqual(['sessions', 'sessions']);
});

test('after a refusal it asks who is logged in and opens again, ever later up to 15 s, and soon again after a success', () => {
  follow();
  for (const wait of [500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
    const before = Stream.all.length;
    asked = [];
    last().isRefused();
    expect(asked).toEqual(['me']);
    pass(wait - 1);
    expect(Stream.all).toHaveLength(before);
    pass(1);
    expect(Stream.all).toHaveLength(before + 1);
  }
  last().opens();
  const before = Stream.all.length;
  last().isRefused();
  pass(500);
  expect(Stream.all).toHaveLength(before + 1);
});

test('who is not logged in has no stream', () => {
  follow(false);
  pass(60_000);
  expect([Stream.all, asked]).toEqual([[], []]);
});

test.each([
  ['is there', (stream: Stream) => stream.opens()],
  ['is away', (stream: Stream) => stream.breaks()],
  ['was refused', (stream: Stream) => stream.isRefused()],
])('nothing goes on when the page is left while the stream %s', (_state, happens) => {
  const { leave } = follow();
  happens(last());
  leave();
  expect(last().readyState).toBe(Stream.CLOSED);
  expect(vi.getTimerCount()).toBe(0);
});
