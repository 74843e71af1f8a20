// Pages of session hosts for people: starting, stopping, ended, lost, no entry. Programs get problem+json instead.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PortalError } from '../../contract/errors.ts';
import { isEnd } from '../../contract/states.ts';
import { html, sendPage, type Html } from '../http/html.ts';
import { isNavigation, sendProblem } from '../http/problem.ts';
import type { Log } from '../lib/log.ts';
import type { HostedSession } from './ports.ts';

export interface Pages {
  /** The session is not ready: what is going on, and what can be done. */
  state(request: IncomingMessage, response: ServerResponse, session: HostedSession): void;
  refuse(request: IncomingMessage, response: ServerResponse, error: PortalError): void;
}

export function makePages(portal: string, log: Log): Pages {
  const show = (response: ServerResponse, status: number, title: string, body: Html, refreshSeconds?: number): void =>
    sendPage(response, {
      status,
      title,
      home: portal,
      body,
      ...(refreshSeconds === undefined ? {} : { refreshSeconds, headers: { 'Retry-After': String(refreshSeconds) } }),
    });
  return {
    state(request, response, session) {
      const refusal = stateRefusal(session);
      if (!isNavigation(request)) return sendProblem(response, refusal, log);
      const progress = html`<p><a class="button" href="${portal}/sessions/${session.id}">Show its progress</a></p>`;
      if (isEnd(session.state)) {
        return show(
          response,
          410,
          session.title,
          html`<h1>${session.title} has ended</h1>
            <p>${session.words}</p>
            <p>Files that were saved are still there.</p>
            <p><a class="button" href="${portal}/sessions/${session.id}?again=1">Start again</a></p>
            <p><a href="${portal}/">All sessions</a></p>`,
        );
      }
      if (session.state === 'lost') {
        return show(
          response,
          503,
          session.title,
          html`<h1>Contact with ${session.title} is lost</h1>
            <p>${session.words}</p>
            <p>This page looks again by itself.</p>
            ${progress}`,
          5,
        );
      }
      const stopping = session.state === 'stopping';
      show(
        response,
        503,
        session.title,
        html`<h1>${session.title} is ${stopping ? 'stopping' : 'not ready yet'}</h1>
          <p role="status">${session.words}</p>
          <p>This page looks again by itself.</p>
          ${progress}`,
        stopping ? 5 : 2,
      );
    },
    refuse(request, response, error) {
      if (!isNavigation(request)) return sendProblem(response, error, log);
      if (error.detail !== undefined) log.info({ code: error.code, detail: error.detail }, 'refused');
      const again =
        error.code === 'entry-code-invalid' || error.code === 'cookies-blocked'
          ? html`<p><a class="button" href="/">Open the session</a></p>`
          : '';
      show(
        response,
        error.status,
        'Linkspan',
        html`<h1>${heading(error)}</h1>
          <p role="alert">${error.message}</p>
          ${again}
          <p><a href="${portal}/">Go to your sessions</a></p>
          <p class="dim"><small>${error.code}</small></p>`,
      );
    },
  };
}

/** The refusal that a program gets for a session that is not ready. */
export function stateRefusal(session: HostedSession): PortalError {
  if (isEnd(session.state)) return new PortalError('session-ended', { message: session.words });
  if (session.state === 'lost') return new PortalError('session-lost', { retryAfterSeconds: 5 });
  return new PortalError('session-not-ready', { message: session.words, retryAfterSeconds: 2 });
}

function heading(error: PortalError): string {
  switch (error.code) {
    case 'session-not-found':
      return 'There is no session here';
    case 'host-unknown':
      return 'This address is not known here';
    case 'cookies-blocked':
      return 'Cookies are blocked';
    case 'entry-code-invalid':
      return 'This way in is no longer valid';
    default:
      return 'This did not work';
  }
}
