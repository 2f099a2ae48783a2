import { z } from 'zod';
import type { Binding } from '../binding.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import type { AccountPlace } from './accounts.ts';

/** Where the gate's client at an authorization server comes from. */
export const clientSource = z.enum(['stored', 'configured', 'metadata', 'registered']);
export type ClientSource = z.infer<typeof clientSource>;

/**
 * What is sealed of an account. It repeats what stands beside it in the database, so that nobody who can write there
 * can send the tokens to another place.
 */
export const accountSecret = z.object({
  issuer: z.string(),
  client: z.object({
    source: clientSource,
    id: z.string(),
    tenant: z.string().nullable(),
    /** Both of a registration only: they belong together for good. */
    secret: z.string().nullable(),
    method: z.string().nullable(),
  }),
  /** The address that the tokens go to. */
  resource: z.string(),
  /** The `resource` parameter that they were asked for with (RFC 8707). */
  indicator: z.string(),
  trustedOrigin: z.string().nullable(),
  accessToken: z.string(),
  refreshToken: z.string().nullable(),
  scopes: z.array(z.string()),
  obtainedAt: z.number(),
  /** Null: the authorization server did not say. */
  expiresAt: z.number().nullable(),
  why: z.enum(['connect', 'expiry', 'refusal']),
});
export type AccountSecret = z.infer<typeof accountSecret>;

export function sealAccount(box: SecretBox, place: AccountPlace, secret: AccountSecret): string {
  return box.seal(JSON.stringify(secret), bindingOf(place));
}

/** Throws `credential_unreadable` for what was sealed for somebody else, or under a key that is not here. */
export function openAccount(box: SecretBox, place: AccountPlace, sealed: string): AccountSecret {
  return accountSecret.parse(JSON.parse(box.open(sealed, bindingOf(place))));
}

// No credential can have such a name, so neither opens in the place of the other.
export function bindingOf({ tenant, user, server }: AccountPlace): Binding {
  return { tenant, owner: { level: 'user', id: user }, server, name: 'oauth:account' };
}

/** A time that dates and the database can hold: by a greater one somebody means that something never ends. */
export function holdable(milliseconds: number): number {
  return Math.min(milliseconds, Date.UTC(9999, 0));
}

// Networks are slow and clocks differ: a token is not sent in its last seconds.
const longestMargin = 30_000;
const renewAfter = 0.8;

/** Whether the token can be sent, and whether it is time to get the next one. */
export function lifeOf(
  { obtainedAt, expiresAt }: Pick<AccountSecret, 'obtainedAt' | 'expiresAt'>,
  now: number,
): 'fresh' | 'ageing' | 'over' {
  if (expiresAt === null) return 'fresh';
  const life = expiresAt - obtainedAt;
  if (now >= expiresAt - Math.min(longestMargin, life * 0.1)) return 'over';
  return now >= obtainedAt + life * renewAfter ? 'ageing' : 'fresh';
}
