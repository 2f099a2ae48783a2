import { z } from 'zod';
import { email, tenantId } from '../access/contract.ts';
import { endpoint, page, pageQuery } from '../platform/contract.ts';

/** A concrete Entra tenant: with `common` or `organizations` anybody's tenant could sign people in here. */
export const entraIssuer = /^(https?:\/\/[^/]+)\/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\/v2\.0$/;

/** How people sign in to Toolgate's pages at an issuer. */
const signIn = z.strictObject({
  clientId: z
    .string()
    .min(1)
    .max(500)
    .describe('Client of Toolgate there. Redirect URI: `PUBLIC_URL/gateway/sign-in/callback`.'),
  clientSecret: z
    .string()
    .min(1)
    .max(2000)
    .optional()
    .describe('Its secret, as `${env:NAME}`. Absent: a public client.'),
  scopes: z
    .array(z.string().min(1).max(200))
    .max(50)
    .refine((scopes) => scopes.includes('openid'), 'must hold "openid"')
    .default(['openid', 'profile', 'email'])
    .describe('What is asked for.'),
  label: z
    .string()
    .min(1)
    .max(60)
    .optional()
    .describe('What the button says after "Sign in with". Default: the name.'),
});

/** An OIDC issuer whose access tokens are believed: one entry of `identity.issuers` in the config file. */
export const oidcIssuer = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,23}$/)
      .describe('Short name, seen in records as `oidc:<name>`.'),
    kind: z.enum(['entra', 'keycloak', 'generic']).describe('How its claims are read.'),
    issuer: z
      .url({ protocol: /^https?$/ })
      .describe(
        'The `iss` to expect. For Entra: `https://login.microsoftonline.com/{tid}/v2.0`; its v1 twin is believed too.',
      ),
    audience: z
      .array(z.string().min(1))
      .min(1)
      .describe('Accepted `aud` values; one of them must be in the token.'),
    jwksUri: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('Where the signing keys are; found through OIDC discovery when left out.'),
    groupsClaim: z.string().default('groups').describe('Claim that holds the groups.'),
    emailClaims: z
      .array(z.string())
      .min(1)
      .optional()
      .describe('Claims tried in order for the e-mail address; defaults depend on `kind`.'),
    clockToleranceSeconds: z
      .number()
      .int()
      .min(0)
      .max(300)
      .default(60)
      .describe('Tolerated clock difference, in seconds.'),
    signIn: signIn
      .optional()
      .describe('Lets people sign in here with a browser. Absent: only its access tokens count.'),
  })
  .refine(({ kind, issuer }) => kind !== 'entra' || entraIssuer.test(issuer), {
    message: 'must name one tenant: https://login.microsoftonline.com/<tenant id>/v2.0',
    path: ['issuer'],
  });
export type OidcIssuer = z.infer<typeof oidcIssuer>;

/** What Open WebUI says of people: `identity.openWebUi` in the config file. */
const openWebUiFile = z.strictObject({
  groups: z
    .boolean()
    .default(false)
    .describe(
      'Whether groups that people are in there count here too, by name or by id in `externalIds`. Needs OPEN_WEBUI_URL, and counts for those who come with a session of Open WebUI. It renews them only when somebody signs in, so prefer the groups of your sign-in service.',
    ),
  unnamedKeys: z
    .boolean()
    .default(false)
    .describe(
      'Whether keys go on to Open WebUI that it takes without telling whose they are: its API keys from 0.12 on. Somebody who is disabled here can go on using theirs, until it is deleted there.',
    ),
  stripHeaders: z
    .array(z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,100}$/, 'must be the name of a header'))
    .max(100)
    .default([])
    .describe(
      'Further headers that no client may send to it, beside those that Toolgate knows: the names that WEBUI_AUTH_TRUSTED_EMAIL_HEADER and its like have there.',
    ),
});
export type OpenWebUiFile = z.infer<typeof openWebUiFile>;

/** The part of the config file that this feature owns. */
export const identityFile = z.strictObject({
  issuers: z
    .array(oidcIssuer)
    .describe('OIDC issuers whose access tokens are believed.')
    .refine(
      (issuers) => new Set(issuers.map(({ name }) => name)).size === issuers.length,
      'two issuers have the same name',
    )
    .refine(
      (issuers) => new Set(issuers.map(({ issuer }) => issuer)).size === issuers.length,
      'two entries name the same issuer; list every audience in one of them',
    )
    .default([]),
  openWebUi: openWebUiFile.prefault({}).describe('What is believed of Open WebUI.'),
});

/** How a connection key may name the user behind it: by Open WebUI's signed header, or by plain ones. */
export const mayForwardUsers = z.enum(['signed', 'plain']);

/** One token as administrators see it; its value is never readable again. */
export const tokenView = z.object({
  id: z.uuid(),
  name: z.string(),
  user: z.string().nullable(),
  service: z.string().nullable(),
  tenant: tenantId.nullable(),
  mayForwardUsers: mayForwardUsers.nullable(),
  /** First characters, to recognise it by. */
  prefix: z.string(),
  createdAt: z.iso.datetime(),
  createdBy: z.string(),
  expiresAt: z.iso.datetime().nullable(),
  lastUsedAt: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
});

export const tokenInput = z
  .strictObject({
    user: email.nullable().default(null),
    service: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/)
      .nullable()
      .default(null),
    name: z
      .string()
      .trim()
      .min(1)
      .max(100)
      .regex(/^\P{C}+$/u, 'must not hold control characters')
      .default('token'),
    tenant: tenantId.nullable().default(null),
    expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
    mayForwardUsers: mayForwardUsers.nullable().default(null),
  })
  .refine((token) => (token.user === null) !== (token.service === null), {
    message: 'give either "user" or "service"',
    path: ['user'],
  })
  .refine((token) => token.mayForwardUsers === null || token.service !== null, {
    message: 'only a service token may forward users',
    path: ['mayForwardUsers'],
  });

export const api = {
  listTokens: endpoint({
    method: 'GET',
    path: '/tokens',
    tag: 'Tokens',
    summary: 'API tokens and connection keys, newest first',
    query: pageQuery.extend({ user: email.optional() }),
    output: page(tokenView),
  }),
  createToken: endpoint({
    method: 'POST',
    path: '/tokens',
    tag: 'Tokens',
    summary: 'Make a token; its value is shown this once',
    body: tokenInput,
    output: z.object({ id: z.uuid(), token: z.string() }),
    status: 201,
  }),
  revokeToken: endpoint({
    method: 'DELETE',
    path: '/tokens/{id}',
    tag: 'Tokens',
    summary: 'Revoke a token',
    params: z.object({ id: z.uuid() }),
    status: 204,
  }),
};
