// The one catalogue of refusals: a stable code, its HTTP status and the sentence a person reads.
// What the log should know besides goes into `detail` and never leaves the server.

/** Every refusal of Linkspan. Add a code here, in its room's block, before you throw it; each needs a test that provokes it. */
export const catalogue = {
  // requests in general
  'bad-request': [400, 'The request is not in the form that this address expects.'],
  'not-found': [404, 'There is nothing at this address.'],
  'method-not-allowed': [405, 'This address does not answer this kind of request.'],
  'body-too-large': [413, 'The request is larger than this address accepts.'],
  'host-unknown': [421, 'This server does not answer for that host name.'],
  'origin-refused': [403, 'The request came from another site and was refused.'],
  'rate-limited': [429, 'Too many attempts. Wait a moment and try again.'],
  internal: [500, 'Something failed on our side. The administrators can find it in the log under the number shown.'],

  // logging in
  'not-logged-in': [401, 'Log in first.'],
  'login-refused': [403, 'You are known, but the rules of this installation do not let you in.'],
  'login-state-unknown': [400, 'This login attempt is over or was not started in this browser. Start it again.'],
  'login-failed': [502, 'The login service answered with an error. Try again.'],
  'iam-unreachable': [503, 'The login service does not answer at the moment. Running sessions are not affected.'],
  'iam-interaction-unknown': [400, 'This login page is no longer valid. Start the login again.'],
  'login-not-found': [404, 'There is no such login of yours.'],

  // profiles and sites
  'profile-unknown': [404, 'There is no such profile, or it is not open to you.'],
  'site-unavailable': [503, 'The site does not accept new sessions at the moment.'],

  // sessions
  'session-not-found': [404, 'There is no such session of yours.'],
  'session-not-ended': [409, 'The session has not ended yet. Stop it first.'],
  'session-not-ready': [503, 'The session is not ready yet.'],
  'session-lost': [503, 'Contact with the session is lost at the moment. It may come back.'],
  'session-ended': [410, 'The session has ended.'],
  'quota-sessions': [409, 'You have as many sessions as you may have at once. Stop one first.'],
  'idempotency-conflict': [422, 'The same Idempotency-Key was used for another request before.'],
  'stop-failed': [502, 'The site has not confirmed that the session is gone. We go on trying.'],
  'start-failed': [502, 'The site refused to start the session.'],

  // tunnel
  'enrolment-unknown': [401, 'This enrolment token is not known.'],
  'enrolment-conflict': [409, 'This enrolment token was already used by another agent.'],
  'tunnel-key-unknown': [401, 'This connection key is not known.'],
  'epoch-superseded': [409, 'A newer tunnel of this session is in use.'],
  'tunnel-protocol': [400, 'The tunnel handshake is not in the expected form.'],

  // session hosts
  'entry-forbidden': [403, 'This session belongs to somebody else.'],
  'entry-required': [401, 'Open the session from Linkspan first.'],
  'entry-code-invalid': [403, 'This way into the session was used before, has expired or belongs to another browser.'],
  'cookies-blocked': [403, 'Your browser does not keep the cookie of this session.'],
  'cross-site-refused': [403, 'A request from another site to this session was refused.'],
  'service-worker-refused': [403, 'Service workers are not allowed on session addresses.'],
  'headers-refused': [400, 'The request has headers that cannot be forwarded safely.'],
  'app-unreachable': [502, 'The application of the session does not answer.'],
  'app-timeout': [504, 'The application of the session did not answer in time.'],
} as const satisfies Record<string, readonly [status: number, message: string]>;

export type ErrorCode = keyof typeof catalogue;

/** What crosses the wire as application/problem+json (RFC 9457); `code` is the stable part. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail?: string;
  instance?: string;
  /** Which fields were wrong: path, what was given, what would be right. */
  fields?: { path: string; value?: string; message: string }[];
}

export interface PortalErrorOptions {
  /** A sentence for the person, more specific than the catalogue's. */
  message?: string;
  /** For the log only. */
  detail?: unknown;
  cause?: unknown;
  fields?: Problem['fields'];
  /** Seconds, sent as Retry-After. */
  retryAfterSeconds?: number;
}

/** A refusal. Thrown in depth, translated once at the HTTP end and once at the socket end. */
export class PortalError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly detail: unknown;
  readonly fields: Problem['fields'];
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, options: PortalErrorOptions = {}) {
    super(options.message ?? catalogue[code][1], options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PortalError';
    this.code = code;
    this.status = catalogue[code][0];
    this.detail = options.detail;
    this.fields = options.fields;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /** @returns the body for application/problem+json; holds nothing that is for the log only. */
  toProblem(instance?: string): Problem {
    return {
      type: `urn:linkspan:error:${this.code}`,
      title: catalogue[this.code][1],
      status: this.status,
      code: this.code,
      ...(this.message !== catalogue[this.code][1] ? { detail: this.message } : {}),
      ...(instance === undefined ? {} : { instance }),
      ...(this.fields === undefined ? {} : { fields: this.fields }),
    };
  }
}
