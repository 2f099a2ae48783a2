import type { Disconnected } from '../accounts.ts';
import { GrantRefused, GrantUnclear, revokeToken, type Way } from './token-endpoint.ts';
import type { AccountSecret } from '../tokens.ts';

/** RFC 7009, both tokens: the refresh token first, because it is worth more. Never rejects for what the server does. */
export async function revokeAll(way: Way, secret: AccountSecret): Promise<Disconnected['revoked']> {
  if (way.server.revocation_endpoint === undefined) return 'unsupported';
  const { refreshToken, accessToken } = secret;
  const done = refreshToken === null || (await revoked(way, refreshToken, 'refresh_token'));
  const alsoDone = await revoked(way, accessToken, 'access_token');
  // Many servers take only refresh tokens back, and with them what was got by them (RFC 7009 2.1).
  return done && (alsoDone || refreshToken !== null) ? 'yes' : 'no';
}

async function revoked(way: Way, token: string, kind: 'refresh_token' | 'access_token'): Promise<boolean> {
  try {
    await revokeToken(way, token, kind);
    return true;
  } catch (error) {
    if (error instanceof GrantRefused || error instanceof GrantUnclear) return false;
    throw error;
  }
}
