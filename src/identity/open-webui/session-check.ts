// What can be known of a session of Open WebUI without asking it: its signature, with the key that it makes sessions with,
// and the two marks that it leaves in Redis when sessions end.
import { createSecretKey } from 'node:crypto';
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { type RedisLink, scriptOf } from '../../platform/redis/contract.ts';

const clockToleranceSeconds = 60;

/** `unsure`: Redis does not answer, so only Open WebUI can tell. */
export type SessionState = 'in-force' | 'ended' | 'forged' | 'unsure';

export interface SessionCheck {
  /** `now` in milliseconds. */
  stateOf(token: string, now: number): Promise<SessionState>;
}

/** Both marks in one round trip. */
const readMarks = scriptOf(`return redis.call('MGET', KEYS[1], KEYS[2])`);

/** `secret` is WEBUI_SECRET_KEY, `redis` and `prefix` are REDIS_URL and REDIS_KEY_PREFIX of Open WebUI. */
export function createSessionCheck(o: { secret: string; redis: RedisLink; prefix: string }): SessionCheck {
  const key = createSecretKey(o.secret, 'utf8');

  async function marksOf({ jti, id }: JWTPayload): Promise<readonly unknown[] | undefined> {
    if (!o.redis.isUsable()) return undefined;
    const keys = [`${o.prefix}:auth:token:${jti}:revoked`, `${o.prefix}:auth:user:${String(id)}:revoked_at`];
    const found = await o.redis.run(readMarks, keys, []).catch(() => undefined);
    return Array.isArray(found) ? found : undefined;
  }

  return {
    async stateOf(token, now) {
      const claims = await claimsOf(token, key, now);
      if (claims === undefined) return 'forged';
      const marks = await marksOf(claims);
      if (marks === undefined) return 'unsure';
      const [ended, endedBefore] = marks;
      if (ended !== null) return 'ended';
      return endedBefore !== null && isBefore(claims.iat, endedBefore) ? 'ended' : 'in-force';
    },
  };
}

/** As Open WebUI reads it: a session that does not say when it began has ended, and so has one of the same second. */
function isBefore(iat: number | undefined, mark: unknown): boolean {
  return iat === undefined || !(iat > Number(mark));
}

async function claimsOf(
  token: string,
  key: ReturnType<typeof createSecretKey>,
  now: number,
): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['HS256'],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(now),
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}
