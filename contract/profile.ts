// Files of sites and profiles. Strict: an unknown key is an error that names file, line and column.
import { z } from 'zod';

const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, 'use 1 to 40 characters of a-z, 0-9 and "-", not "-" at an end');
const seconds = z.number().int().positive();

export const Site = z.strictObject({
  name,
  title: z.string().min(1).max(60),
  kind: z.enum(['local', 'kubernetes', 'interlink']),
  class: z.enum(['cloud', 'hpc']),
  cluster: name.optional(),
  namespace: z.string().optional(),
  nodeSelector: z.record(z.string(), z.string()).optional(),
  tolerations: z.array(z.record(z.string(), z.unknown())).optional(),
  url: z.url().optional(),
  agentUrl: z.url().optional().describe('What agents of this site dial; https unless loopback.'),
  agentPath: z.string().default('/opt/linkspan'),
  loopback: z.enum(['private', 'shared']).default('shared'),
  identity: z.enum(['service', 'mapped', 'own']).default('own'),
  sharing: z.enum(['off', 'view', 'control']).default('off'),
  maxAgeSeconds: seconds.default(7 * 86_400).describe('Hard end of every session here.'),
  awaySeconds: seconds
    .default(86_400)
    .describe('How long an agent waits for a portal that is away before it ends the session.'),
});
export type Site = z.infer<typeof Site>;

export const Cluster = z.strictObject({ name, kubeconfig: z.string().optional(), inCluster: z.boolean().optional() });
export const SitesFile = z.strictObject({ clusters: z.array(Cluster).default([]), sites: z.array(Site).min(1) });
export type SitesFile = z.infer<typeof SitesFile>;

export const Profile = z.strictObject({
  id: name,
  title: z.string().min(1).max(60),
  description: z.string().max(400).default(''),
  icon: z.enum(['notebook', 'gpu', 'terminal', 'code', 'chart']).default('notebook'),
  site: name,
  /** Absent: everybody who may log in. */
  groups: z
    .strictObject({ any: z.array(z.string()).min(1).optional(), all: z.array(z.string()).min(1).optional() })
    .optional(),
  image: z.string().optional(),
  app: z
    .union([
      z.strictObject({ kind: z.literal('jupyterlab'), defaultUrl: z.string().startsWith('/').default('/lab') }),
      z.strictObject({
        kind: z.literal('argv'),
        argv: z.array(z.string()).min(1),
        readyPath: z.string().startsWith('/').default('/'),
      }),
    ])
    .default({ kind: 'jupyterlab', defaultUrl: '/lab' }),
  resources: z
    .strictObject({
      cpus: z.number().positive().optional(),
      memory: z
        .string()
        .regex(/^\d+(\.\d+)?(Mi|Gi|Ti)$/, 'write a size such as 512Mi or 4Gi')
        .optional(),
      gpus: z.number().int().min(0).default(0),
    })
    .prefault({}),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).default({}),
  walltimeSeconds: seconds.optional(),
  readyTimeoutSeconds: seconds.default(120).describe('How long the app may take to its first answer.'),
});
export type Profile = z.infer<typeof Profile>;

export const ProfilesFile = z.strictObject({ profiles: z.array(Profile).min(1) });
export type ProfilesFile = z.infer<typeof ProfilesFile>;
