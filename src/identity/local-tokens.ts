import type { Db } from '../platform/db/index.ts';
import { AppError } from '../platform/errors.ts';
import { keptSecret, replaceSecret } from '../platform/kept-secret.ts';
import type { Identity } from './authenticate.ts';
import { createToken } from './routes.ts';

/**
 * Tokens to try things out with on this machine, one for each of these people, kept in files that only their owner
 * may read. They stay the same from start to start while they are good.
 */
export async function localTokens(o: {
  db: Db;
  identity: Identity;
  people: readonly string[];
  dir: string;
}): Promise<[person: string, token: string][]> {
  const found: [string, string][] = [];
  for (const person of o.people) {
    const kept = await keptSecret(o.dir, person, () => make(o.db, person));
    await o.identity.refreshTokens();
    // Another database, or a token that was revoked: the file is of no use any more.
    const good = (await isGood(o.identity, kept))
      ? kept
      : await replaceSecret(o.dir, person, await make(o.db, person));
    found.push([person, good]);
  }
  await o.identity.refreshTokens();
  return found;
}

async function make(db: Db, user: string): Promise<string> {
  const input = { user, service: null, name: 'local', tenant: null, expiresAt: null, mayForwardUsers: null };
  return (await createToken(db, input, { id: 'system' })).token;
}

async function isGood(identity: Identity, token: string): Promise<boolean> {
  const header = (name: string) => (name === 'authorization' ? `Bearer ${token}` : undefined);
  try {
    await identity.authenticate({ header, clientIp: '', path: '/mcp' });
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}
