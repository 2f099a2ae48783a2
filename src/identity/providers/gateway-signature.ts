// The signed header of a Toolgate in front of this one (API_GATEWAY_MODE). Its plain headers count for nothing: anybody who
// reaches this program directly could send them.
import { errors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Principal } from '../../access/contract.ts';
import type { Directory } from '../directory.ts';
import { readEmail } from '../email-address.ts';
import { CredentialRefused } from '../errors.ts';
import type { KeySet } from '../oidc/key-set.ts';
import { mapGroups } from '../oidc/mapping.ts';
import { lifeSeconds, signatureHeader, signatureType } from '../open-webui/signed-identity.ts';
import type { Provisioning } from '../provisioning.ts';
import type { CallerRequest, Credential, Provider } from './provider.ts';

const source = 'gateway';
const invalid = 'The signature of the gateway in front is not valid or has expired.';
const clockToleranceSeconds = 10;
const headerName = signatureHeader.toLowerCase();

/** What this way in needs. */
export interface GatewaySignatureDeps {
  readonly keys: KeySet;
  /** The one that the gateway in front names this program by. */
  readonly audience: string;
  readonly directory: () => Directory;
  readonly provisioning: Provisioning;
}

const claimsOf = z.object({
  email: z.string(),
  name: z.string(),
  groups: z.array(z.string()).max(1_000),
  iat: z.number(),
  exp: z.number(),
});
type Claims = z.infer<typeof claimsOf>;

/** The signature that a request came with. */
export function signatureIn(request: CallerRequest): string | undefined {
  return request.header(headerName);
}

export function gatewaySignatures(deps: GatewaySignatureDeps): Provider {
  const verified = new LRUCache<string, Claims>({ max: 20_000 });

  async function verify({ token, digest, now }: Credential): Promise<Principal> {
    const { payload } = await jwtVerify(token, deps.keys.find, {
      algorithms: ['EdDSA', 'Ed25519'],
      audience: deps.audience,
      typ: signatureType,
      clockTolerance: clockToleranceSeconds,
      maxTokenAge: lifeSeconds,
      currentDate: new Date(now),
    }).catch((error: unknown) => {
      if (!(error instanceof errors.JOSEError)) throw error;
      throw new CredentialRefused('gateway_signature_unverified', invalid, { failed: error.code });
    });
    const claims = claimsOf.safeParse(payload);
    if (!claims.success) throw new CredentialRefused('gateway_signature_unreadable', invalid);
    verified.set(digest, claims.data);
    return principalOf(claims.data, deps);
  }

  return {
    name: source,
    // A browser sends its cookies to the gateway in front on behalf of any page; administrators come directly.
    forAdmin: false,
    invalid,
    recognises: ({ token, request }) => signatureIn(request) === token,
    authenticate(credential) {
      const known = verified.get(credential.digest);
      const isFresh = known !== undefined && credential.now < (known.exp + clockToleranceSeconds) * 1000;
      return isFresh ? principalOf(known, deps) : verify(credential);
    },
  };
}

function principalOf({ email, name, groups, iat }: Claims, deps: GatewaySignatureDeps): Principal {
  const id = readEmail(email);
  if (id === undefined) throw new CredentialRefused('gateway_signature_unreadable', invalid);
  const assertedGroups = mapGroups(groups, deps.directory());
  deps.provisioning.sighted({
    ...{ id, source, displayName: name, identity: null, groups: assertedGroups, issuedAt: iat },
  });
  return {
    ...{ kind: 'user', id, assertedGroups, assertedBy: source, tokenTenant: null, authSource: source },
    credentialId: `${source}:${id}`,
  };
}
