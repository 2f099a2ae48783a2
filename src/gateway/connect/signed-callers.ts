import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../../access/contract.ts';
import type { Rights } from '../../access/index.ts';
import type { SignedIdentity } from '../../identity/index.ts';
import type { ChangingToken, FoundCredential } from '../../secrets/index.ts';
import { accountAddress } from './account-address.ts';
import type { Reached } from './offer.ts';

/** The signature under what is said of a caller, for nobody but `audience`. */
export type SignCaller = (facts: SignedIdentity, audience: string) => Promise<string>;

interface Caller {
  readonly principal: Principal;
  readonly rights: Rights;
}

const most = 20_000;

/** What servers of the kind `signed` are told of callers, instead of a key: made anew for each request, kept nowhere. */
export class SignedCallers {
  readonly #sign: SignCaller | undefined;
  /** The same object for the same caller and server, so that their connection stays. */
  readonly #known = new LRUCache<string, SignedCaller>({ max: most });

  constructor(sign: SignCaller | undefined) {
    this.#sign = sign;
  }

  /** Null for a program, which is nobody, and for a server or an address that the operator did not write. */
  find(caller: Caller, { server, filled }: Reached): FoundCredential | null {
    const sign = this.#sign;
    const { kind, id: email, authSource } = caller.principal;
    const address = accountAddress(filled);
    if (kind !== 'user' || !filled.vouched || address === null || !sign) return null;
    const { groups, admin } = caller.rights;
    const facts = { email, name: '', groups, admin, authSource };
    const audience = new URL(address).origin;
    // With the groups: what comes with a token of few rights is not said with those of another one.
    const key = JSON.stringify([server.id, audience, facts]);
    const known = this.#known.get(key);
    if (known) return known;
    const made = new SignedCaller({ server: server.id, email, key, sign: () => sign(facts, audience) });
    this.#known.set(key, made);
    return made;
  }
}

class SignedCaller implements FoundCredential {
  readonly id: string;
  readonly owner = 'user';
  readonly ownerId: string;
  /** Of each person another one: nobody's connection is ever another's. */
  readonly version: string;
  readonly changing: ChangingToken;

  constructor(o: { server: string; email: string; key: string; sign: () => Promise<string> }) {
    this.id = `signed-${o.server}`;
    this.ownerId = o.email;
    this.version = createHash('sha256').update(o.key).digest('base64url').slice(0, 16);
    this.changing = { current: o.sign, refused: () => Promise.resolve(false) };
  }

  open(): never {
    throw new Error('a signature is made for each request');
  }
}
