// The command line's end of the control socket.
import { request } from 'node:http';
import type { Problem } from '../../contract/errors.ts';

/**
 * @returns the JSON answer
 * @throws Error with a sentence for a person when no server runs there or it refused
 */
export function callControl<Answer>(socketPath: string, method: 'GET' | 'POST', url: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path: url, headers: { host: 'control' } }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) return resolve((text === '' ? undefined : JSON.parse(text)) as Answer);
        reject(new Error(sentence(text, status)));
      });
    });
    call.on('error', (error: NodeJS.ErrnoException) => {
      const gone = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      const foreign = error.code === 'EACCES' || error.code === 'EPERM';
      if (gone) return reject(new Error(`no server runs with this data directory (${socketPath})`));
      reject(
        foreign ? new Error(`'${socketPath}' belongs to another account; use the one that runs the server`) : error,
      );
    });
    call.end();
  });
}

function sentence(text: string, status: number): string {
  try {
    const problem = JSON.parse(text) as Problem;
    return `${problem.detail ?? problem.title} (${problem.code})`;
  } catch {
    return `the server answered ${status}`;
  }
}
