// jtun.v1: frames, limits, HELLO, CTRL and enrolment, shared by the gateway and (through the vector file) by the Python agent.
import { z } from 'zod';

export const subprotocol = 'jtun.v1';
export const tunnelPath = '/tunnel/v1';
export const enrolPath = '/tunnel/v1/enrol';

/** Frame types; header is type u8, flags u8 = 0, reserved u16 = 0, stream u32, big endian. One frame per binary message. */
export const frameType = {
  HELLO: 0,
  OPEN: 1,
  DATA: 2,
  WINDOW: 3,
  END: 4,
  RESET: 5,
  PING: 6,
  PONG: 7,
  GOAWAY: 8,
  ACK: 9,
  CTRL: 10,
} as const;
export const resetCode = { refused: 1, timeout: 2, reset: 3, forbidden: 4, tooMany: 5, protocol: 6 } as const;

export const headerBytes = 8;
/** Limits of the protocol; each has a test at it and one past it. */
export const limits = {
  payloadBytes: 65_536,
  messageBytes: 1_048_576,
  ctrlBytes: 16_384,
  helloBytes: 16_384,
  openBytes: 64,
  streamsPerTunnel: 1_024,
  /** Credit of a new stream; grows to windowBytes while at most `fullWindowStreams` are open and the tunnel holds less than tunnelBytes. */
  initialWindowBytes: 262_144,
  windowBytes: 4_194_304,
  fullWindowStreams: 16,
  tunnelBytes: 33_554_432,
  sendBufferBytes: 131_072,
  quantumBytes: 32_768,
  handshakeSeconds: 10,
  localDialSeconds: 5,
  pingSeconds: 20,
  silenceSeconds: 45,
  ackFrames: 16,
  ackBytes: 65_536,
  ackDelayMilliseconds: 5,
} as const;

/** First frame each way of every connection that is not resumed. Unknown fields are ignored. */
export const Hello = z.looseObject({
  v: z.literal(1),
  window: z.number().int().min(65_536).max(16_777_216),
  maxStreams: z.number().int().min(1).max(65_536),
});
export type Hello = z.infer<typeof Hello>;

export const AgentHello = Hello.extend({
  agent: z.object({ version: z.string(), python: z.string(), host: z.string(), pid: z.number().int() }),
  app: z.object({ kind: z.enum(['jupyterlab', 'argv']), secret: z.string().min(32).max(256) }),
});
export type AgentHello = z.infer<typeof AgentHello>;

const at = z.number().int();
/** CTRL from the agent. An unknown kind is ignored. */
export const AgentCtrl = z.discriminatedUnion('kind', [
  /** starting = the app was exec'ed; ready = its socket gave its first answer; ending = the app is being ended. */
  z.object({
    kind: z.literal('phase'),
    phase: z.enum(['starting', 'ready', 'ending']),
    at,
    message: z.string().max(2000).optional(),
  }),
  z.object({ kind: z.literal('facts'), facts: z.record(z.string(), z.unknown()) }),
  z.object({ kind: z.literal('log'), lines: z.array(z.string().max(4000)).max(200) }),
  z.object({
    kind: z.literal('exit'),
    at,
    code: z.number().int().nullable(),
    signal: z.string().nullable(),
    cause: z.enum(['app', 'app-failed', 'app-never-answered', 'refused', 'stop', 'walltime', 'max-age', 'away']),
    message: z.string().max(4000).optional(),
  }),
]);
export type AgentCtrl = z.infer<typeof AgentCtrl>;

/** CTRL to the agent. */
export const GatewayCtrl = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('stop'), graceSeconds: z.number().min(0).max(600) }),
  z.object({ kind: z.literal('deadline'), at, inSeconds: z.number() }),
]);
export type GatewayCtrl = z.infer<typeof GatewayCtrl>;

/** Exit status of the agent; it tells the cause and outranks the spawner's 'exited'. 85 = the app is refused (for example jupyter_server < 2.0), 86 = app failed, 87 = it never answered. */
export const agentExit = {
  app: 0,
  stop: 81,
  walltime: 82,
  maxAge: 83,
  away: 84,
  refused: 85,
  appFailed: 86,
  appNeverAnswered: 87,
} as const;

export const EnrolRequest = z.object({
  token: z.string().min(32).max(128),
  /** SHA-256 of the connection key, lower-case hex. */
  keyHash: z.string().regex(/^[0-9a-f]{64}$/),
});
export type EnrolRequest = z.infer<typeof EnrolRequest>;

export const EnrolAnswer = z.object({ session: z.string(), epoch: z.number().int().min(1) });
export type EnrolAnswer = z.infer<typeof EnrolAnswer>;
