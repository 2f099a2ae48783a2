import { type Call, type Gate, requestOf } from '../call.ts';
import { invalidParams } from '../refusals.ts';
import { answerFrom } from './one-server.ts';

/** server/utilities/logging.mdx */
const levels: readonly unknown[] = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
];

/** `logging/setLevel` of the legacy era: to the one server; on the merged endpoint the level is only checked. */
export async function serveSetLevel(call: Call, gate: Gate): Promise<void> {
  const level = requestOf(call).params?.['level'];
  if (!levels.includes(level)) throw invalidParams(`"params.level" must be one of ${levels.join(', ')}.`);
  const [target] = call.targets;
  const known = target && gate.lists.peek(target, call.era, call.capabilities);
  if (call.path.server !== null && target && known?.hello && 'logging' in known.hello.capabilities)
    return answerFrom(call, gate, target);
  call.response = { kind: 'local', rawResult: '{}' };
}
