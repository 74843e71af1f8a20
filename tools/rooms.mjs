// The import table of design section 4 as data; `npm run generate` writes .oxlintrc.json from it.
// A room may import itself, contract/, server/lib/ and what is listed; everything else of ours is banned.

/** Rooms of server/, each with the rooms (or single files) that it may import. */
export const serverRooms = {
  lib: [],
  db: [],
  metrics: [],
  http: ['metrics'],
  config: [],
  users: ['db', 'config'],
  profiles: ['db', 'config', 'users/user.ts', 'spawner/spec.ts'],
  sites: ['db', 'config', 'spawner/spawner.ts'],
  audit: ['db', 'config'],
  auth: ['http', 'db', 'users', 'config'],
  iam: ['http', 'db', 'config'],
  kube: ['config', 'metrics'],
  spawner: ['config', 'metrics'],
  sessions: ['db', 'users', 'profiles', 'sites', 'audit', 'config', 'metrics', 'spawner/spawner.ts', 'spawner/spec.ts'],
  shares: ['db', 'users', 'audit', 'sessions'],
  tunnel: ['http', 'metrics'],
  proxy: ['http', 'metrics'],
  api: ['auth', 'http', 'users', 'profiles', 'sites', 'sessions', 'audit', 'config', 'spawner/spawner.ts'],
};

/** Packages that only one place may import. */
export const packageOwners = {
  '@kubernetes/client-node': ['server/kube'],
  'http-proxy': ['server/proxy/forward.ts'],
  'openid-client': ['server/auth'],
  'oidc-provider': ['server/iam'],
  'better-sqlite3': ['server/db'],
  pg: ['server/db'],
};
