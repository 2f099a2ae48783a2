// A token endpoint that exchanges tokens and keeps the written contract: RFC 8693 section 2, as Keycloak 26 does it, or
// the on-behalf-of flow of the Microsoft identity platform, with its error texts.
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listenOnLoopback } from './loopback.ts';

export interface TokenEndpoint {
  readonly url: string;
  /** Every form that was posted, with the client that proved itself. */
  readonly asked: { readonly form: URLSearchParams; readonly client: string | undefined }[];
  /** An error instead of a token: status, code and description. */
  refuse: readonly [number, string, string] | undefined;
  lifetime: number | undefined;
  /** Tokens are JWTs for these; undefined: texts that nobody can read. */
  audience: string | string[] | undefined;
  /** The token that this subject token is exchanged for, the n-th time. */
  tokenFor(subject: string, times: number): string;
  close(): Promise<void>;
}

const clients: Readonly<Record<string, string>> = { gate: 'secret of gate', acme: 'secret of acme' };
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const grants = {
  exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  onBehalfOf: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
};

export async function startTokenEndpoint(kind: keyof typeof grants): Promise<TokenEndpoint> {
  const times = new Map<string, number>();
  const answerTo = async (req: IncomingMessage, res: ServerResponse) => {
    const form = new URLSearchParams(await textOf(req));
    const client = clientOf(req, form);
    endpoint.asked.push({ form, client });
    const subject = form.get(kind === 'exchange' ? 'subject_token' : 'assertion') ?? '';
    const refused = endpoint.refuse ?? refusalOf(kind, form, client);
    times.set(subject, (times.get(subject) ?? 0) + (refused ? 0 : 1));
    const answer = refused
      ? { error: refused[1], error_description: refused[2] }
      : {
          access_token: endpoint.tokenFor(subject, times.get(subject) ?? 0),
          token_type: 'Bearer',
          ...(endpoint.lifetime === undefined ? {} : { expires_in: endpoint.lifetime }),
          ...(kind === 'exchange' ? { issued_token_type: accessToken } : { ext_expires_in: 3599 }),
        };
    res.writeHead(refused?.[0] ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  };
  const http = await listenOnLoopback((req, res) => void answerTo(req, res));
  const endpoint: TokenEndpoint = {
    url: `${http.origin}/token`,
    asked: [],
    refuse: undefined,
    lifetime: 3600,
    audience: undefined,
    tokenFor(subject, n) {
      const token = createHash('sha256').update(`${subject} ${n}`).digest('base64url');
      if (endpoint.audience === undefined) return token;
      const payload = Buffer.from(JSON.stringify({ aud: endpoint.audience })).toString('base64url');
      return `e30.${payload}.${token}`;
    },
    close: () => http.close(),
  };
  return endpoint;
}

type Refusal = readonly [number, string, string];

function refusalOf(
  kind: keyof typeof grants,
  form: URLSearchParams,
  client: string | undefined,
): Refusal | undefined {
  if (client === undefined) return [401, 'invalid_client', 'AADSTS7000215: Invalid client secret provided.'];
  if (form.get('grant_type') !== grants[kind]) return [400, 'unsupported_grant_type', ''];
  const needed =
    kind === 'exchange'
      ? { subject_token_type: accessToken, requested_token_type: accessToken }
      : { requested_token_use: 'on_behalf_of' };
  for (const [name, value] of Object.entries(needed)) {
    if (form.get(name) !== value) return [400, 'invalid_request', `${name} must be ${value}`];
  }
  if (kind === 'onBehalfOf' && !form.get('scope'))
    return [400, 'invalid_request', 'AADSTS900144: scope is missing'];
  if (kind === 'onBehalfOf' && form.has('resource'))
    return [400, 'invalid_target', 'AADSTS9010010: resource'];
  return undefined;
}

/** RFC 6749 2.3.1: in the header, or in the body. */
function clientOf(req: IncomingMessage, form: URLSearchParams): string | undefined {
  const [, basic] = /^Basic (.+)$/.exec(req.headers.authorization ?? '') ?? [];
  const [id, secret] =
    basic === undefined
      ? [form.get('client_id') ?? '', form.get('client_secret') ?? '']
      : Buffer.from(basic, 'base64')
          .toString()
          .split(':')
          .map((part) => decodeURIComponent(part.replaceAll('+', ' ')));
  return id !== undefined && clients[id] === secret ? id : undefined;
}

async function textOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
