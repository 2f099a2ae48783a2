import type { Turn } from '../../platform/http/server.ts';
import type { CallPath, Gate } from '../call.ts';
import type { Relay } from '../relay/relay.ts';
import type { OpenStreams } from './open-streams.ts';
import type { Sessions } from './sessions.ts';

/** What the HTTP server knows of a request before the pipeline looks at it. */
export interface Arrival {
  readonly requestId: string;
  readonly clientIp: string;
  readonly path: CallPath;
  readonly turn: Turn;
}

/** What a face of the legacy era works with besides the gate. */
export interface FaceParts {
  readonly gate: Gate;
  readonly sessions: Sessions;
  readonly streams: OpenStreams;
  readonly relay: Relay;
}
