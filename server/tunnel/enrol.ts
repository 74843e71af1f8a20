// POST /tunnel/v1/enrol: a one-time token and the hash of the agent's own key in, session and epoch out.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PortalError } from '../../contract/errors.ts';
import { EnrolRequest, type EnrolAnswer } from '../../contract/tunnel.ts';

const maxBodyBytes = 4096;

/** @throws PortalError for anything that is no enrolment request */
export async function readEnrolment(request: IncomingMessage): Promise<EnrolRequest> {
  if (request.method !== 'POST') throw new PortalError('method-not-allowed');
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxBodyBytes) throw new PortalError('body-too-large');
    parts.push(part);
  }
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch (error) {
    throw new PortalError('bad-request', { message: 'The body is not JSON.', cause: error });
  }
  const parsed = EnrolRequest.safeParse(body);
  if (!parsed.success) {
    throw new PortalError('bad-request', {
      fields: parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
    });
  }
  return parsed.data;
}

export function sendEnrolAnswer(response: ServerResponse, answer: EnrolAnswer): void {
  const body = JSON.stringify(answer);
  response.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}
