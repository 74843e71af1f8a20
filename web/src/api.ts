// The page's way to the API: every answer is checked against the contract, every refusal is an ApiError.
import { z } from 'zod';
import {
  LoginView,
  LogView,
  Me,
  ProfileView,
  SessionDetail,
  SessionView,
  listOf,
  type StartSessionBody,
} from '../../contract/api.ts';
import { t } from './messages/en.ts';

/** A refusal with its stable code; `offline` when nothing answered. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly incident: string | undefined;
  constructor(status: number, code: string, message: string, incident?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.incident = incident;
  }

  /** Nothing answered, or something on the way did for a server that is away. */
  get isPassing(): boolean {
    return this.status === 0 || (this.status >= 502 && this.status <= 504);
  }
}

const Problem = z.object({
  code: z.string(),
  title: z.string(),
  detail: z.string().optional(),
  instance: z.string().optional(),
});

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, 'offline', t('error.offline'));
  }
  if (response.status === 204) return undefined;
  const data: unknown = await response.json().catch(() => undefined);
  if (response.ok) return data;
  const problem = Problem.safeParse(data);
  if (!problem.success) throw new ApiError(response.status, String(response.status), t('error.title'));
  throw new ApiError(
    response.status,
    problem.data.code,
    problem.data.detail ?? problem.data.title,
    problem.data.instance,
  );
}

const get = async <T>(path: string, schema: z.ZodType<T>): Promise<T> => schema.parse(await call('GET', path));

export const api = {
  me: () => get('/api/me', Me),
  profiles: async () => (await get('/api/profiles', listOf(ProfileView))).items,
  sessions: async () => (await get('/api/sessions?limit=200', listOf(SessionView))).items,
  session: (id: string) => get(`/api/sessions/${id}`, SessionDetail),
  log: (id: string) => get(`/api/sessions/${id}/log?tail=200`, LogView),
  logins: async () => (await get('/api/logins', listOf(LoginView))).items,
  start: async (body: StartSessionBody, key: string) =>
    SessionView.parse(await call('POST', '/api/sessions', body, { 'Idempotency-Key': key })),
  stop: async (id: string) => SessionView.parse(await call('POST', `/api/sessions/${id}/stop`)),
  forget: (id: string) => call('POST', `/api/sessions/${id}/forget`),
  remove: (id: string) => call('DELETE', `/api/sessions/${id}`),
  endLogin: (id: string) => call('DELETE', `/api/logins/${id}`),
};
