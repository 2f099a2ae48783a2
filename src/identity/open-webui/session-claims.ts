import { decodeJwt, decodeProtectedHeader, errors } from 'jose';

const jwt = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

interface SessionClaims {
  readonly id: string;
  /** Seconds since the epoch; absent for sessions without an end. */
  readonly exp: number | undefined;
  /** It can also end by a stamp in the database of Open WebUI. */
  readonly isStamped: boolean;
}

/** Read before anything is verified, so it only tells which way in this is: HS256, an `id`, and no issuer. */
export function sessionClaims(token: string): SessionClaims | undefined {
  if (!jwt.test(token)) return undefined;
  try {
    if (decodeProtectedHeader(token).alg !== 'HS256') return undefined;
    const { id, iss, exp, session_stamp: stamp } = decodeJwt(token);
    const isSession = typeof id === 'string' && id !== '' && iss === undefined;
    return isSession ? { id, exp, isStamped: stamp !== undefined } : undefined;
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined;
    throw error;
  }
}
