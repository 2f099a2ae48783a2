import { z } from 'zod';
import { endpoint } from '../platform/contract.ts';

/** Every failed request answers so. */
export const errorBody = z.object({
  error: z.object({
    /** Stable; switch on this, never on the text. */
    code: z.string(),
    message: z.string(),
    requestId: z.string(),
    /** For `invalid_request`: each value that is wrong. */
    details: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  }),
});

/** What applying the config file does to one record; `orphan`: it came from the file, which has it no more, and it stays. */
export const configChange = z.object({
  kind: z.enum(['create', 'update', 'delete', 'orphan']),
  record: z.string(),
  id: z.string(),
  /** Names of the fields that an update changes; their values stay inside. */
  fields: z.array(z.string()).readonly().default([]),
});
export type ConfigChange = z.input<typeof configChange>;

export const applyOptions = z.strictObject({
  /** Tell what would change and change nothing. */
  dryRun: z.boolean().default(false),
  /** Remove what came from the file and is in it no more. */
  prune: z.boolean().default(false),
});
export type ApplyOptions = z.infer<typeof applyOptions>;

export const api = {
  applyConfig: endpoint({
    method: 'POST',
    path: '/config/apply',
    tag: 'Config',
    summary: 'Read the config file of the server again and apply it',
    body: applyOptions.prefault({}),
    output: z.object({ changes: z.array(configChange).readonly() }),
  }),
};
