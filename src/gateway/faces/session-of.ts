import { type Call, principalOf } from '../call.ts';
import type { Session, Sessions } from './sessions.ts';
import { sessionLost } from './wire-answers.ts';

/** The session that a request names; null when it names none. Throws the 404 that makes the client begin again. */
export function sessionOf(call: Call, sessions: Sessions): Session | null {
  const id = call.header('mcp-session-id');
  if (id === undefined) return null;
  const session = sessions.find(id, principalOf(call).id);
  if (!session) throw sessionLost();
  return session;
}
