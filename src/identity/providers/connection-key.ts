// A service token that may name the user behind each request, for Open WebUI and the like.
import type { Principal } from '../../access/contract.ts';
import type { Directory } from '../directory.ts';
import { readEmail } from '../email-address.ts';
import { CredentialRefused } from '../errors.ts';
import type { KnownToken } from '../known-token.ts';
import type { Provisioning } from '../provisioning.ts';
import type { TokenUsage } from '../token-usage.ts';
import { invalidToken, usableToken } from './api-token.ts';
import type { SignedUserHeader } from './open-webui-jwt.ts';
import type { CallerRequest, Credential, Provider } from './provider.ts';

const signedHeader = 'x-openwebui-user-jwt';
const emailHeader = 'x-openwebui-user-email';
const plainHeaders = [emailHeader, 'x-openwebui-user-id', 'x-openwebui-user-name', 'x-openwebui-user-role'];

/** What this way in needs. */
export interface ConnectionKeyDeps {
  readonly usage: TokenUsage;
  readonly provisioning: Provisioning;
  readonly directory: () => Directory;
  readonly signedUsers: SignedUserHeader;
}

/**
 * A signed header decides wherever there is one. Plain ones count only for a key that may send them. A header
 * that names nobody is refused and not overlooked: the call was meant for a person, not for the service itself.
 */
export function connectionKeys(deps: ConnectionKeyDeps): Provider {
  function authenticate(credential: Credential): Principal | Promise<Principal> {
    const key = usableToken(credential, deps.usage);
    const facts = { credentialId: key.principal.credentialId };
    if (deps.directory().members.get(key.principal.id)?.disabled)
      throw new CredentialRefused('service_disabled', invalidToken, facts);
    const { request, now } = credential;
    const signed = request.header(signedHeader);
    if (signed !== undefined) {
      const email = deps.signedUsers.emailOf(signed, now);
      if (typeof email === 'string') return forwarded(key, email, 'signed');
      return email.then((verified) => forwarded(key, verified, 'signed'));
    }
    if (!plainHeaders.some((name) => request.header(name) !== undefined)) return key.principal;
    if (key.mayForwardUsers === 'signed') {
      throw new CredentialRefused(
        'plain_headers_refused',
        'This connection key takes signed user headers only; set FORWARD_USER_INFO_HEADER_JWT_SECRET in Open WebUI.',
        facts,
      );
    }
    return forwarded(key, plainEmail(request), 'plain');
  }

  function forwarded(key: KnownToken, email: string, how: 'signed' | 'plain'): Principal {
    deps.provisioning.sighted({
      id: email,
      source: 'connection-key',
      displayName: '',
      identity: null,
      groups: null,
      issuedAt: 0,
    });
    return {
      ...key.principal,
      kind: 'user',
      id: email,
      authSource: how === 'signed' ? 'connection-key+signed' : 'connection-key+plain',
    };
  }

  return {
    name: 'connection-key',
    forAdmin: false,
    invalid: invalidToken,
    recognises: ({ known }) => known !== undefined && known.mayForwardUsers !== null,
    authenticate,
  };
}

function plainEmail(request: CallerRequest): string {
  const text = request.header(emailHeader) ?? '';
  // A placeholder that this version of Open WebUI does not know arrives as it was typed. An address arrives as it is in
  // the account (0.10.2 to 0.12.4 encode the name alone), so decoding would make alice@… of somebody's a%6cice@….
  const email = /\{\{|%/.test(text) ? undefined : readEmail(text);
  if (email !== undefined) return email;
  throw new CredentialRefused(
    'forwarded_user_unreadable',
    'The header X-OpenWebUI-User-Email holds no e-mail address; check the headers of this connection in Open WebUI.',
  );
}
