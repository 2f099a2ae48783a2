import type { Call, Face, Gate } from './call.ts';
import { attachCredentials } from './steps/attach-credentials.ts';
import { authenticate } from './steps/authenticate.ts';
import { authorize } from './steps/authorize.ts';
import { checkArguments } from './steps/check-arguments.ts';
import { countCall, countFailed } from './steps/count-call.ts';
import { forward } from './steps/forward.ts';
import { limitRate } from './steps/limit-rate.ts';
import { readMessage } from './steps/read-message.ts';
import { recordCall } from './steps/record-call.ts';
import { relay } from './steps/relay.ts';
import { resolveServer } from './steps/resolve-server.ts';
import { resolveTenant } from './steps/resolve-tenant.ts';
import { shapeResult } from './steps/shape-result.ts';

/** Does one thing to a call, or throws a Refusal. Steps that need not wait return nothing. */
export type Step = (call: Call, gate: Gate) => Promise<void> | void;

/**
 * The order of things: steps down, faces across. Nothing reaches a server on any face without passing every
 * row above `forward`; `recordCall` runs for every call, refused or not.
 */
export const pipeline = [
  [authenticate, ['stream', 'sse', 'openapi', 'servers', 'webui']],
  [readMessage, ['stream', 'sse', 'openapi']],
  [resolveTenant, ['stream', 'sse', 'openapi', 'servers']],
  [limitRate, ['stream', 'sse', 'openapi', 'servers', 'webui']],
  [resolveServer, ['stream', 'sse', 'openapi', 'servers']],
  [authorize, ['stream', 'sse', 'openapi']],
  [countCall, ['stream', 'sse', 'openapi', 'servers', 'webui']],
  [attachCredentials, ['stream', 'sse', 'openapi']],
  [checkArguments, ['openapi']],
  [forward, ['stream', 'sse', 'openapi']],
  [shapeResult, ['stream', 'sse', 'openapi']],
  [relay, ['webui']],
] as const satisfies readonly (readonly [Step, readonly Face[]])[];

const stepsOf: Readonly<Record<Face, readonly Step[]>> = {
  stream: stepsFor('stream'),
  sse: stepsFor('sse'),
  openapi: stepsFor('openapi'),
  servers: stepsFor('servers'),
  webui: stepsFor('webui'),
};

function stepsFor(face: Face): Step[] {
  return pipeline
    .filter(([, faces]: readonly [Step, readonly Face[]]) => faces.includes(face))
    .map(([step]) => step);
}

/** Runs the steps of the call's face, and records the call however it ended. Throws what a step threw. */
export async function runPipeline(call: Call, gate: Gate): Promise<void> {
  try {
    for (const step of stepsOf[call.face]) {
      const pending = step(call, gate);
      if (pending) await pending;
    }
  } catch (failed) {
    const error = await errorOf(call, gate, failed);
    recordCall(call, gate, error);
    throw error;
  } finally {
    call.leave?.();
  }
  recordCall(call, gate, undefined);
}

/** Whoever fails too often is told that instead. */
async function errorOf(call: Call, gate: Gate, failed: unknown): Promise<unknown> {
  try {
    await countFailed(call, gate);
    return failed;
  } catch (error) {
    return error;
  }
}
