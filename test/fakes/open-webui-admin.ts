// The part of Open WebUI's API that administrators' programs use, in memory. The live suite holds it against the real one
// with `open-webui-admin.contract.ts`.
import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { listenOnLoopback } from './loopback.ts';

export interface FakeOpenWebUi {
  readonly url: string;
  /** An administrator's session token. */
  readonly token: string;
  readonly toolServers: Record<string, unknown>[];
  readonly tools: Map<string, StoredTool>;
  /** Writes so far, as `METHOD path`. */
  readonly writes: string[];
  close(): Promise<void>;
}

interface StoredTool {
  readonly name: string;
  readonly content: string;
  readonly access_grants: unknown;
  valves: Record<string, unknown>;
}

export interface FakeOptions {
  readonly version?: string;
  /** WEBUI_SECRET_KEY. */
  readonly secret?: string;
  readonly role?: string;
  readonly features?: Record<string, unknown>;
  /** Names of the sign-on page; without them no single sign-on is set up. */
  readonly signOn?: Record<string, unknown>;
  /** Open WebUI tries a connection: how many tools it finds, undefined when it cannot connect. */
  readonly verify?: (server: Record<string, unknown>) => number | undefined;
  /** Open WebUI lists a saved connection's tools as the administrator. Undefined: a version without that. */
  readonly listAsMe?: (server: Record<string, unknown>) => Promise<boolean>;
}

interface Request {
  readonly method: string;
  readonly path: string;
  // biome-ignore lint/suspicious/noExplicitAny: JSON as a client wrote it
  readonly body: any;
}

type Answer = readonly [status: number, body: unknown];

const email = 'admin@acme.com';

/** The administrator's. */
export const apiKey = 'sk-0123456789';

const unknown: Answer = [404, { detail: "We could not find what you're looking for :/" }];

export async function startFakeOpenWebUi(options: FakeOptions = {}): Promise<FakeOpenWebUi> {
  const { secret = 'a long random value', version = '0.12.4', role = 'admin' } = options;
  const token = sessionToken(secret);
  const fake = { token, toolServers: [], tools: new Map(), writes: [] } as Omit<
    FakeOpenWebUi,
    'url' | 'close'
  >;
  const answer = async (request: Request, authorization: string | undefined): Promise<Answer | 'page'> => {
    const { method, path, body } = request;
    if (path === '/api/version') return [200, { version, deployment_id: '' }];
    if (path === '/api/config') return [200, publicConfig(options, version)];
    const isApiKey = authorization === `Bearer ${apiKey}`;
    if (authorization !== `Bearer ${token}` && !isApiKey) return [401, { detail: 'Invalid token' }];
    if (isApiKey && path === '/api/v1/auths/') return [403, { detail: 'A human session is required.' }];
    if (path === '/api/v1/auths/') return [200, { id: '1', email, role, token, token_type: 'Bearer' }];
    if (role !== 'admin') return [401, { detail: 'You do not have permission to access this resource.' }];
    if (method === 'POST' && !path.endsWith('/verify')) fake.writes.push(`${method} ${path}`);
    if (path === '/api/v1/auths/admin/config/oauth') return [200, { ...signOnDefaults, ...options.signOn }];
    if (path.startsWith('/api/v1/configs/tool_servers')) return toolServers(fake, request, options);
    const asked = /^\/api\/v1\/tools\/id\/server:mcp:([^/]+)\/specs$/.exec(path);
    if (asked) return options.listAsMe ? specs(fake, asked[1] ?? '', options.listAsMe) : 'page';
    if (path === '/api/v1/tools/create') return createTool(fake, body);
    const [, id = '', rest = ''] = /^\/api\/v1\/tools\/id\/([^/]+)(.*)$/.exec(path) ?? [];
    return id === '' ? 'page' : toolById(fake, decodeURIComponent(id), { ...request, path: rest });
  };
  const http = await listenOnLoopback((incoming, response) => void serve(incoming, response, answer));
  return { ...fake, url: http.origin, close: () => http.close() };
}

async function serve(
  incoming: IncomingMessage,
  response: ServerResponse,
  answer: (request: Request, authorization: string | undefined) => Promise<Answer | 'page'>,
): Promise<void> {
  const sent = await text(incoming);
  const body = sent === '' ? undefined : JSON.parse(sent);
  const { method = '', url = '', headers } = incoming;
  const answered = await answer({ method, path: decodeURI(url), body }, headers.authorization);
  // Whatever is no route of the API is the web application, with status 200.
  if (answered === 'page') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
  response.writeHead(answered[0], { 'content-type': 'application/json' }).end(JSON.stringify(answered[1]));
}

function sessionToken(secret: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ id: '1', typ: 'session' })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function publicConfig({ features, signOn }: FakeOptions, version: string): object {
  return {
    status: true,
    version,
    oauth: { providers: signOn === undefined ? {} : { oidc: 'SSO' } },
    features: { auth: true, ...features },
  };
}

const signOnDefaults = {
  ENABLE_OAUTH_SIGNUP: false,
  ENABLE_OAUTH_GROUP_MANAGEMENT: false,
  ENABLE_OAUTH_GROUP_CREATION: false,
  OAUTH_GROUP_CLAIM: 'groups',
  ENABLE_OAUTH_ROLE_MANAGEMENT: false,
  OAUTH_ADMIN_ROLES: 'admin',
};

type State = Omit<FakeOpenWebUi, 'url' | 'close'>;

function toolServers(fake: State, { method, path, body }: Request, { verify }: FakeOptions): Answer {
  if (path.endsWith('/verify')) {
    const found = verify?.(body);
    if (found === undefined) return [400, { detail: 'Failed to create MCP client' }];
    return [200, { status: true, specs: Array.from({ length: found }, () => ({})) }];
  }
  if (method === 'POST') {
    fake.toolServers.splice(0, fake.toolServers.length, ...body.TOOL_SERVER_CONNECTIONS);
  }
  return [200, { TOOL_SERVER_CONNECTIONS: fake.toolServers }];
}

async function specs(fake: State, id: string, list: NonNullable<FakeOptions['listAsMe']>): Promise<Answer> {
  const server = fake.toolServers.find(({ info }) => (info as { id?: string } | null)?.id === id);
  if (server === undefined) return [404, { detail: 'Tool not found' }];
  return (await list(server)) ? [200, { specs: [] }] : [502, { detail: 'Unable to load tools' }];
}

function createTool(fake: State, { id, name, content, access_grants = [] }: Request['body']): Answer {
  if (!/^[a-z_]\w*$/i.test(id)) {
    return [400, { detail: 'Only alphanumeric characters and underscores are allowed in the id' }];
  }
  if (fake.tools.has(id)) return [400, { detail: 'Uh-oh! This id is already registered.' }];
  fake.tools.set(id, { name, content, access_grants, valves: {} });
  return [200, { id, name }];
}

function toolById(fake: State, id: string, { method, path, body }: Request): Answer {
  const tool = fake.tools.get(id);
  if (tool === undefined) return method === 'GET' ? unknown : [401, unknown[1]];
  if (path === '') return [200, { id, ...tool }];
  if (path === '/valves') return [200, tool.valves];
  if (path === '/valves/update') return [200, (tool.valves = body)];
  if (path !== '/update') return unknown;
  // Whom it is for is not changed here; Open WebUI has another route for that.
  fake.tools.set(id, { ...tool, name: body.name, content: body.content });
  return [200, { id, ...fake.tools.get(id) }];
}
