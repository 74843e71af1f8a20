// Structured logs: one event, one line of JSON, no secrets.
import { pino, type DestinationStream, type Logger } from 'pino';

export type Log = Logger;

/** Paths whose values never reach a log line. Tested. */
export const redactPaths = [
  'token',
  'secret',
  'password',
  'cookie',
  'authorization',
  'refreshToken',
  'accessToken',
  'idToken',
  'clientSecret',
  'enrol',
].flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `req.headers.${name}`]);

/**
 * @param level pino level name
 * @param destination where lines go; standard error when left out, so that standard output stays for what a person asked for
 */
export function makeLog(level: string, destination?: DestinationStream): Log {
  return pino(
    {
      level,
      base: null,
      redact: { paths: [...redactPaths, 'req.headers["set-cookie"]'], censor: '[hidden]' },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    destination ?? pino.destination({ fd: 2, sync: true }),
  );
}
