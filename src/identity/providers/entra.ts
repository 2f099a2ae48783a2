// Microsoft Entra ID. Claims: learn.microsoft.com/entra/identity-platform/access-token-claims-reference
import type { JWTPayload } from 'jose';
import { entraIssuer } from '../contract.ts';
import { generic } from './generic.ts';
import { text, type TokenShape, type VerifiedToken } from './token-shape.ts';

/**
 * The resource's manifest decides whether its tokens are v1 or v2, whatever was configured here, so both forms of
 * the one configured tenant count. `oid` names the person: `sub` differs from app to app.
 */
export const entra: TokenShape = {
  ...generic,
  authorities(issuer) {
    const { origin, tenant } = tenantOf(issuer);
    return [
      { iss: issuer, discovery: `${origin}/${tenant}/v2.0/.well-known/openid-configuration` },
      { iss: v1Issuer(tenant), discovery: `${origin}/${tenant}/.well-known/openid-configuration` },
    ];
  },
  emailClaims: ['email', 'preferred_username', 'upn', 'unique_name'],
  // `email` is whatever somebody typed in unless the domain's owner was verified.
  vouchesFor: (claim, { xms_edov: owned }) =>
    claim !== 'email' || owned === undefined || owned === true || owned === 1 || owned === '1',
  refusal,
  subject: ({ oid }) => oid,
  application,
  roles: ({ roles }) => (Array.isArray(roles) ? roles.filter((role) => typeof role === 'string') : []),
};

function refusal(token: VerifiedToken): string | undefined {
  const { claims, header, authority, issuer } = token;
  const { tenant } = tenantOf(issuer);
  // Tokens for Microsoft Graph carry a nonce in the header and are nobody else's to check.
  if (header['nonce'] !== undefined) return 'graph_token';
  if (claims['tid'] !== tenant) return 'wrong_tenant';
  if (claims['ver'] !== (authority.iss === issuer ? '2.0' : '1.0')) return 'wrong_version';
  const believed = [issuer, v1Issuer(tenant)];
  if (!token.keyIssuers.every((name) => believed.includes(name.replace('{tenantid}', tenant))))
    return 'wrong_key_issuer';
  if (text(claims['scp']) === undefined && application(claims) === undefined) return 'not_access_token';
  return generic.refusal(token);
}

/** A person's token has scopes. A program's has none, and its subject is the program itself. */
function application({ scp, idtyp, oid, sub, azp, appid }: JWTPayload): string | undefined {
  if (scp !== undefined || (idtyp !== 'app' && (oid === undefined || oid !== sub))) return undefined;
  return text(azp) ?? text(appid);
}

function v1Issuer(tenant: string): string {
  return `https://sts.windows.net/${tenant}/`;
}

function tenantOf(issuer: string): { origin: string; tenant: string } {
  const [, origin, tenant] = entraIssuer.exec(issuer) ?? [];
  if (origin === undefined || tenant === undefined)
    throw new Error(`${issuer} is not an Entra issuer of one tenant`);
  return { origin, tenant };
}
