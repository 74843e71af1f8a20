// Parsing at the edge: a body that is not right is refused with every field, what was given and what would be right.
import type { Request } from 'express';
import type { z } from 'zod';
import { PortalError } from '../../contract/errors.ts';

/** @throws PortalError bad-request with fields */
export function parseBody<T>(request: Request, schema: z.ZodType<T>): T {
  const result = schema.safeParse(request.body ?? {});
  if (result.success) return result.data;
  throw new PortalError('bad-request', {
    message: 'The request is not in the expected form.',
    fields: result.error.issues.flatMap((issue) => {
      if (issue.code === 'unrecognized_keys')
        return issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'is not a known field' }));
      const value = valueAt(request.body, issue.path);
      return [
        {
          path: issue.path.join('.'),
          ...(value === undefined ? {} : { value: JSON.stringify(value).slice(0, 80) }),
          message: issue.message,
        },
      ];
    }),
  });
}

/** @throws PortalError bad-request naming the parameter */
export function parseNumber(
  text: unknown,
  name: string,
  range: { least: number; most: number; fallback: number },
): number {
  if (text === undefined) return range.fallback;
  const value = typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.least && value <= range.most) return value;
  throw new PortalError('bad-request', {
    fields: [
      {
        path: name,
        value: String(text as string).slice(0, 80),
        message: `must be a whole number from ${range.least} to ${range.most}`,
      },
    ],
  });
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  let at = body;
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return at;
}
