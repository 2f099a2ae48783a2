import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Connector, Sink } from '../connectors/contract.ts';
import type { RpcNotification } from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import type { Standing } from './standing.ts';

export interface UpstreamOptions {
  readonly name: string;
  /** Which era to speak; the pool decides, and decides anew when told OtherEraError. */
  readonly era: Era;
  /** Client capabilities to declare, as JSON text. */
  readonly capabilities: string;
  readonly startTimeoutMs: number;
  open(sink: Sink): Connector;
  /** A message that answers no request: list_changed, resources/updated, logging. */
  onUnsolicited(message: RpcNotification): void;
  /** The server is ready, for the first time or again. */
  onOpened?(): void;
  /** The server was out of hearing for a while: anything may have changed. */
  onGap?(): void;
  /** It was opened again by itself, and the server speaks another era by now. */
  onOtherEra?(): void;
  /** What all connections to the server share; where there is none, this one has its own. */
  readonly standing?: Standing;
  /** A process or a stream of its own: what goes wrong there says nothing of other connections. */
  readonly isAlone?: boolean;
  /** How long it has for a sign of life, in milliseconds. */
  readonly signOfLifeMs?: number | undefined;
  readonly log: Log;
  readonly clock: Clock;
}
