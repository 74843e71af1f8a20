import type { IncomingMessage } from 'node:http';
import type { User } from '../users/user.ts';

/** The person behind a request and the login that proves it. */
export interface Who {
  user: User;
  isAdmin: boolean;
  login: { id: string; createdAt: number; endsAt: number; acr: string | null; authTime: number | null };
}

/**
 * Reads the login cookie. `slide` = this is a page action or navigation (polling and event streams do not slide).
 * Resolves to undefined when nobody is logged in.
 */
export type Authenticate = (request: IncomingMessage, options?: { slide?: boolean }) => Promise<Who | undefined>;
