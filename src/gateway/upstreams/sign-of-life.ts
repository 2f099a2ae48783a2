import type { Log } from '../../platform/log.ts';
import type { Clock } from '../../platform/clock.ts';
import { type Connector, UpstreamError } from '../connectors/contract.ts';
import type { RpcNotification } from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import { Deadline } from './deadline.ts';
import type { Hello } from './handshake.ts';
import { ownParams } from './own-subscription.ts';
import { sendOver } from './send.ts';
import type { Standing } from './standing.ts';

export interface Checked {
  readonly name: string;
  readonly era: Era;
  readonly connector: Connector;
  readonly hello: Hello;
  readonly standing: Standing;
  readonly log: Log;
  readonly clock: Clock;
  /** Of one question, unique on the connection. */
  nextId(): string;
  onNews(message: RpcNotification): void;
}

/** Lists by the capability that they come with: whoever has it answers the question for it. */
const lists = { tools: 'tools/list', prompts: 'prompts/list', resources: 'resources/list' } as const;

/**
 * Asks a server whether it is there; rejects when it gives no sign of life in time. Any answer is one, a refusal too.
 * Some legacy servers leave pings unanswered, so silence is believed only when they say nothing to a list either.
 */
export async function signOfLife(checked: Checked, timeoutMs: number): Promise<void> {
  const { era, hello, standing } = checked;
  if (era === 'modern') return ask(checked, 'server/discover', timeoutMs);
  const [other] = Object.entries(lists).flatMap(([name, method]) =>
    name in hello.capabilities ? [method] : [],
  );
  if (standing.isDeafToPings && other !== undefined) return ask(checked, other, timeoutMs);
  try {
    return await ask(checked, 'ping', timeoutMs);
  } catch (error) {
    const isSilent = error instanceof UpstreamError && error.kind === 'timeout';
    if (!isSilent || other === undefined) throw error;
    await ask(checked, other, timeoutMs);
    standing.isDeafToPings = true;
    return undefined;
  }
}

async function ask(checked: Checked, method: string, timeoutMs: number): Promise<void> {
  const { name, era, connector, log, clock, onNews } = checked;
  const controller = new AbortController();
  const silence = new UpstreamError('timeout', `The server "${name}" gave no sign of life.`);
  const deadline = new Deadline(timeoutMs, clock, () => controller.abort(silence));
  const link = { name, era, connector, log, rawId: checked.nextId(), deadline, onNews };
  const rawParams = era === 'modern' ? ownParams(era, '{}', {}) : undefined;
  try {
    await sendOver(link, { method, rawParams, controller, timeoutMs, isOwn: true });
  } catch (error) {
    if (!isAnswer(error)) throw error;
  } finally {
    deadline.clear();
  }
}

/** Somebody refused: they are there. */
function isAnswer(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return false;
  if (error.kind === 'http_status')
    return error.status !== undefined && error.status < 500 && error.status !== 429;
  return ['unauthorized', 'protocol', 'too_large', 'session_expired'].includes(error.kind);
}
