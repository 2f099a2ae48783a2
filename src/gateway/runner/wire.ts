// Wire shapes between the gate and the runner.
import { z } from 'zod';
import { processLimits, serverId } from '../../access/contract.ts';
import { inForce } from '../contract.ts';

const text = z
  .string()
  .max(128 * 1024)
  .regex(/^[^\0]*$/, 'must not hold NUL');

/** `POST /processes`: start one. */
export const processInput = z.strictObject({
  server: serverId,
  /** The active tenant of whoever needs it. */
  tenant: z.string().max(100).nullable(),
  /** Who shares it: empty for everybody. */
  scope: z.string().max(1000),
  command: text.min(1),
  args: z.array(text).max(1000),
  env: z.record(z.string().regex(/^[^=\0]{1,200}$/), text),
  cwd: text,
  /** Filled-in secrets, so that what the server prints can be rid of them. */
  secrets: z.array(text).max(200),
  /** Counts for commands of the catalog, and never beyond the usual values. Of the others, the config file says. */
  limits: processLimits.optional(),
  maxMessageBytes: z
    .number()
    .int()
    .min(1024)
    .max(256 * 1024 * 1024),
});
export type ProcessInput = z.input<typeof processInput>;

export const processStarted = z.object({ id: z.string().regex(/^[A-Za-z0-9_-]{8,64}$/) });

/** Why a message got no answer, or a process could not be started or has ended. */
export const failure = z.object({
  failure: z.object({
    kind: z.enum(['unreachable', 'closed', 'protocol', 'too_large', 'busy', 'not_allowed']),
    message: z.string().max(2000),
  }),
});
export type Failure = z.infer<typeof failure>['failure'];

/** Events of a stream beside messages. */
export const eventNames = { failure: 'failure', closed: 'closed', diagnostics: 'diagnostics' } as const;
export const diagnosticsEvent = z.object({ text: z.string() });

/** Header of a request to which nothing belongs but what names it. */
export const standingHeader = 'toolgate-standing';

/** `GET /health`, with the key. */
export const runnerHealth = z.object({
  status: z.literal('ok'),
  processes: z.number(),
  inForce: z.array(inForce),
});
export type RunnerHealth = z.infer<typeof runnerHealth>;
