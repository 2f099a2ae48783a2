// An MCP server whose users sign in at an authorization server: a real one (oidc-provider), and a server made with the
// official SDK that checks tokens. Both can be told to misbehave.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, Server } from '@modelcontextprotocol/server';
import { type Adapter, type InteractionResults, Provider } from 'oidc-provider';
import { z } from 'zod';
import { listenOnLoopback, type Loopback } from './loopback.ts';
import { configuration, type OAuthServerOptions, scopes } from './oidc-configuration.ts';
import { browse } from './sign-in-browser.ts';

export interface OAuthServer {
  /** The MCP server. */
  readonly url: string;
  readonly issuer: string;
  readonly provider: Provider;
  /** Every refresh token that was used, in order: one that is there twice was used twice. */
  readonly usedRefreshTokens: string[];
  /** `path error` of every request that the authorization server refused. */
  readonly refusals: string[];
  /** Forms that were posted to token and revocation endpoints. */
  readonly posted: { path: string; form: URLSearchParams; authorization: string | undefined }[];
  /** Clients that registered themselves. */
  readonly registered: string[];
  /** Runs before the token endpoint does its work; a number is the status that it answers with instead. */
  beforeToken: () => Promise<number | undefined> | number | undefined;
  /** Runs when it has done it, before it answers: `cut` loses the answer. */
  afterToken: () => Promise<'cut' | undefined> | 'cut' | undefined;
  /** The server takes no token any more, however good. */
  refusesTokens: boolean;
  /** What a browser does in which this person is signed in at the authorization server; the address it ends at. */
  signIn(url: string, person: string, answer?: 'allow' | 'deny'): Promise<URL>;
  /** Whom the server takes this token for. */
  whoHas(token: string): Promise<string | undefined>;
  /** Ends everything that this person allowed. */
  revoke(person: string): Promise<void>;
  /** A client that registered itself is not known any more. */
  forgetClient(id: string): Promise<void>;
  close(): Promise<void>;
}

const wellKnown = '/.well-known/oauth-protected-resource';

export async function startOAuthServer(options: OAuthServerOptions = {}): Promise<OAuthServer> {
  const handlers = { mcp: unready, signIn: unready };
  const oneOrigin = options.says === 'nothing';
  const mcp = await listenOnLoopback((req, res) => {
    const isOwn = !oneOrigin || req.url === '/mcp' || req.url?.startsWith(wellKnown) === true;
    return (isOwn ? handlers.mcp : handlers.signIn)(req, res);
  });
  const separate = oneOrigin ? null : await listenOnLoopback((req, res) => handlers.signIn(req, res));
  const issuer = (separate ?? mcp).origin;
  const url = `${mcp.origin}/mcp`;
  const noted = noteBook();
  const server: OAuthServer = {
    ...{ url, issuer, ...noted, refusesTokens: false },
    provider: new Provider(issuer, configuration(options)),
    beforeToken: () => undefined,
    afterToken: () => undefined,
    signIn: (to, person, answer = 'allow') => browse(to, person, answer),
    async whoHas(token) {
      const found = await server.provider.AccessToken.find(token);
      return found?.aud === url && !found.isExpired ? found.accountId : undefined;
    },
    revoke: (person) => revoke(noted, server.provider, person),
    async forgetClient(id) {
      // The types leave out where clients are kept.
      const { adapter } = server.provider.Client as unknown as { adapter: Adapter };
      await adapter.destroy(id);
    },
    close: () => closeAll([mcp, separate], tools),
  };
  const tools = createMcpHandler(() => toolServer(server));
  watch(server, noted, options);
  const callback = server.provider.callback();
  handlers.signIn = (req, res) => {
    if (req.url?.startsWith('/interaction/')) return void interact(server, noted, req, res);
    return void callback(req, res);
  };
  const handle = toNodeHandler({ fetch: tools.fetch });
  handlers.mcp = (req, res) => void protectedServer(server, options, { req, res, handle });
  return server;
}

function unready(_req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(503).end();
}

function noteBook() {
  return {
    usedRefreshTokens: [] as string[],
    refusals: [] as string[],
    posted: [] as OAuthServer['posted'],
    registered: [] as string[],
    grants: new Map<string, Set<string>>(),
  };
}
type Noted = ReturnType<typeof noteBook>;

/** What the authorization server is made to do besides its work. */
function watch(server: OAuthServer, noted: Noted, options: OAuthServerOptions): void {
  const { provider } = server;
  provider.on('registration_create.success', (_ctx, client) => void noted.registered.push(client.clientId));
  provider.use(async (ctx, next) => {
    const isToken = ctx.path === '/token';
    const status = isToken ? await server.beforeToken() : undefined;
    if (status === undefined) await next();
    else ctx.status = status;
    const form = ctx.oidc?.body as Record<string, string> | undefined;
    if (ctx.method === 'POST' && form && (isToken || ctx.path === '/token/revocation')) {
      const authorization = ctx.get('authorization') || undefined;
      noted.posted.push({ path: ctx.path, form: new URLSearchParams(form), authorization });
    }
    if (isToken && form?.['grant_type'] === 'refresh_token')
      noted.usedRefreshTokens.push(form['refresh_token']!);
    const body: unknown = ctx.body;
    const refused = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined;
    if (typeof refused === 'string') noted.refusals.push(`${ctx.path} ${refused}`);
    if (isToken && (await server.afterToken()) === 'cut') {
      ctx.respond = false;
      ctx.res.destroy();
    }
    if (ctx.path.startsWith('/.well-known/') && typeof body === 'object' && body !== null)
      options.metadata?.(body as Record<string, unknown>);
    const location = URL.parse(ctx.response.get('location'));
    if (!location?.searchParams.has('state') || !options.callback) return;
    options.callback(location);
    ctx.set('location', location.href);
  });
}

/** The pages where a person signs in and allows: they know who it is from the browser. */
async function interact(
  { provider }: OAuthServer,
  noted: Noted,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const person = String(req.headers['x-person']);
  const { prompt, params, grantId } = await provider.interactionDetails(req, res);
  const finish = (result: InteractionResults) =>
    provider.interactionFinished(req, res, result, { mergeWithLastSubmission: true });
  if (req.headers['x-answer'] === 'deny') {
    return finish({ error: 'access_denied', error_description: 'The user said <b>no</b>' });
  }
  if (prompt.name === 'login') return finish({ login: { accountId: person } });
  const clientId = String(params['client_id']);
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: person, clientId });
  const asked = z.object({ scope: z.string().default('openid'), resource: z.string() }).parse(params);
  grant?.addOIDCScope(asked.scope);
  grant?.addResourceScope(asked.resource, scopes);
  const saved = await grant?.save();
  if (saved !== undefined) noted.grants.set(person, (noted.grants.get(person) ?? new Set()).add(saved));
  return finish({ consent: { grantId: saved } });
}

async function revoke(noted: Noted, provider: Provider, person: string): Promise<void> {
  for (const grantId of noted.grants.get(person) ?? []) {
    await provider.AccessToken.revokeByGrantId(grantId);
    await provider.RefreshToken.revokeByGrantId(grantId);
    await (await provider.Grant.find(grantId))?.destroy();
  }
}

interface Arriving {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly handle: ReturnType<typeof toNodeHandler>;
}

/** RFC 9728 and RFC 6750: the metadata, and nothing else without a token for this very server. */
async function protectedServer(
  server: OAuthServer,
  options: OAuthServerOptions,
  { req, res, handle }: Arriving,
): Promise<void> {
  const says = options.says ?? 'challenge';
  const place = says === 'host' ? wellKnown : `${wellKnown}/mcp`;
  if (req.url === place && says !== 'nothing') {
    const document = {
      resource: server.url,
      authorization_servers: [server.issuer],
      scopes_supported: ['mcp:read'],
    };
    options.resource?.(document);
    return void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  }
  if (req.url !== '/mcp') return void res.writeHead(404).end();
  const person = await bearer(server, req);
  if (person === undefined && options.open !== true) {
    const origin = new URL(server.url).origin;
    const challenge = `Bearer resource_metadata="${origin}${place}", scope="${scopes}"`;
    return void res
      .writeHead(401, { 'www-authenticate': says === 'challenge' ? challenge : 'Bearer' })
      .end(JSON.stringify({ error: 'invalid_token' }));
  }
  // The adapter's type leaves out that Node says `undefined` for what is missing.
  await handle(req as NodeIncomingMessageLike, res);
}

async function bearer(server: OAuthServer, req: IncomingMessage): Promise<string | undefined> {
  const [, token] = /^Bearer (\S+)$/.exec(req.headers.authorization ?? '') ?? [];
  return token === undefined || server.refusesTokens ? undefined : server.whoHas(token);
}

function toolServer(server: OAuthServer): Server {
  const mcp = new Server({ name: 'protected', version: '1.0.0' }, { capabilities: { tools: {} } });
  mcp.setRequestHandler('tools/list', () => ({
    tools: [{ name: 'whoami', description: 'Whose account this is', inputSchema: { type: 'object' } }],
  }));
  mcp.setRequestHandler('tools/call', async (_request, ctx) => {
    const token = ctx.http?.req?.headers.get('authorization')?.slice('Bearer '.length) ?? '';
    const text = (await server.whoHas(token)) ?? 'nobody';
    return { content: [{ type: 'text', text }] };
  });
  return mcp;
}

async function closeAll(
  listening: readonly (Loopback | null)[],
  tools: { close(): Promise<void> },
): Promise<void> {
  await tools.close();
  await Promise.all(listening.map(async (one) => one?.close()));
}
