// A profile resolved for one user: all that a spawner needs to start a session.

export interface SessionSpec {
  v: 1;
  sessionId: string;
  /** Id of this installation; every object made outside carries it. */
  installation: string;
  site: string;
  user: { id: string; slug: string; name: string };
  title: string;
  image: string | null;
  app: AppSpec;
  resources: { cpus: number | null; memoryBytes: number | null; gpus: number };
  env: Record<string, string>;
  walltimeSeconds: number | null;
  maxAgeSeconds: number;
  awaySeconds: number;
  /** How long the app may take to its first answer. */
  readyTimeoutSeconds: number;
  /** What the agent dials and the one-time token. Never stored with the spec. */
  enrol: { url: string; token: string };
}

export type StoredSpec = Omit<SessionSpec, 'enrol'>;

/** JupyterLab, or any program that listens on `{socket}`. */
export type AppSpec = { kind: 'jupyterlab'; defaultUrl: string } | { kind: 'argv'; argv: string[]; readyPath: string };
