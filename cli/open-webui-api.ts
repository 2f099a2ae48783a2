// The part of Open WebUI's own API that `toolgate openwebui install` uses, held to a contract by its fake and the live suite.
import { z } from 'zod';
import { CallError } from './terminal.ts';

const timeoutMs = 30_000;
const longestAnswer = 20 * 1024 * 1024;

/** One entry of Open WebUI's list of tool servers. What it holds beside these passes through untouched. */
export const toolServer = z.looseObject({
  url: z.string(),
  path: z.string(),
  type: z.string().nullish(),
  auth_type: z.string().nullable(),
  key: z.string().nullable(),
  config: z.looseObject({}).nullable(),
  info: z.looseObject({ id: z.string().nullish() }).nullish(),
});
export type ToolServer = z.infer<typeof toolServer>;

/** A Tool file as it is stored. */
export const toolFile = z.object({ id: z.string(), name: z.string(), content: z.string() });

const version = z.object({ version: z.string() });
const session = z.object({ email: z.string(), role: z.string() });
const servers = z.object({ TOOL_SERVER_CONNECTIONS: z.array(toolServer).nullable() });
const publicConfig = z.object({
  oauth: z.object({ providers: z.record(z.string(), z.unknown()) }),
  features: z.record(z.string(), z.unknown()),
});
const verified = z.looseObject({
  specs: z.array(z.unknown()).nullish(),
  paths: z.record(z.string(), z.unknown()).nullish(),
});

export interface ToolFileInput {
  readonly id: string;
  readonly name: string;
  readonly content: string;
  readonly description: string;
}

/** An administrator's view of one Open WebUI. Every method throws CallError with a sentence. */
export interface OpenWebUi {
  readonly url: string;
  version(): Promise<string>;
  /** Who the token belongs to; undefined for an API key, which cannot ask. */
  me(): Promise<{ email: string; role: string } | undefined>;
  /** The token when it is a session token; never to be shown. */
  readonly session: string | undefined;
  publicConfig(): Promise<z.infer<typeof publicConfig>>;
  /** Single sign-on as the administrators see it; undefined where this version has no such page. */
  signOnSettings(): Promise<Readonly<Record<string, unknown>> | undefined>;
  toolServers(): Promise<ToolServer[]>;
  /** Replaces the whole list. */
  saveToolServers(list: readonly ToolServer[]): Promise<void>;
  /** How many tools Open WebUI sees behind a connection. */
  verify(server: ToolServer): Promise<number>;
  /** Has Open WebUI list the tools of a saved MCP connection as this administrator; false before 0.12. */
  listAsMe(serverId: string): Promise<boolean>;
  toolFile(id: string): Promise<z.infer<typeof toolFile> | undefined>;
  createToolFile(file: ToolFileInput): Promise<void>;
  updateToolFile(file: ToolFileInput): Promise<void>;
  valves(id: string): Promise<Readonly<Record<string, unknown>>>;
  /** Replaces all of them. */
  saveValves(id: string, values: Readonly<Record<string, unknown>>): Promise<void>;
}

/** Everybody who can sign in: Toolgate decides what each may use. */
export const everyone = [{ principal_type: 'user', principal_id: '*', permission: 'read' }];

/** `url` without a path, as people type it. */
export function openWebUi(url: string, token: string): OpenWebUi {
  const at = url.replace(/\/+$/, '');
  const ask = asker(at, token);
  const isApiKey = token.startsWith('sk-');
  const file = (id: string) => `/api/v1/tools/id/${encodeURIComponent(id)}`;
  const form = ({ id, name, content, description }: ToolFileInput) => ({
    ...{ id, name, content },
    meta: { description, manifest: {} },
  });
  return {
    url: at,
    version: async () => (await ask('GET', '/api/version', version)).version,
    session: isApiKey ? undefined : token,
    me: async () => {
      // From 0.12 on an API key may not ask who it is.
      return isApiKey ? undefined : ask('GET', '/api/v1/auths/', session);
    },
    publicConfig: () => ask('GET', '/api/config', publicConfig),
    signOnSettings: () => optional(ask('GET', '/api/v1/auths/admin/config/oauth', z.looseObject({}))),
    toolServers: async () =>
      (await ask('GET', '/api/v1/configs/tool_servers', servers)).TOOL_SERVER_CONNECTIONS ?? [],
    saveToolServers: async (list) => {
      await ask('POST', '/api/v1/configs/tool_servers', servers, { TOOL_SERVER_CONNECTIONS: list });
    },
    verify: async (server) => {
      const { specs, paths } = await ask('POST', '/api/v1/configs/tool_servers/verify', verified, server);
      return specs?.length ?? Object.keys(paths ?? {}).length;
    },
    listAsMe: async (serverId) => {
      const path = `/api/v1/tools/id/server:mcp:${encodeURIComponent(serverId)}/specs`;
      return (await optional(ask('GET', path, z.looseObject({})))) !== undefined;
    },
    toolFile: (id) => optional(ask('GET', file(id), toolFile)),
    createToolFile: async (input) => {
      const body = { ...form(input), access_grants: everyone };
      await ask('POST', '/api/v1/tools/create', z.looseObject({}), body);
    },
    updateToolFile: async (input) => {
      await ask('POST', `${file(input.id)}/update`, z.looseObject({}), form(input));
    },
    valves: async (id) => (await ask('GET', `${file(id)}/valves`, z.looseObject({}).nullable())) ?? {},
    saveValves: async (id, values) => {
      await ask('POST', `${file(id)}/valves/update`, z.looseObject({}), values);
    },
  };
}

/** Not there: an HTTP 404, or the page of the web application that answers every unknown path. */
class NotThere extends CallError {}

async function optional<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof NotThere) return undefined;
    throw error;
  }
}

type Ask = <T>(method: string, path: string, shape: z.ZodType<T>, body?: unknown) => Promise<T>;

function asker(at: string, token: string): Ask {
  return async (method, path, shape, body) => {
    const response = await send(`${at}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (text.length > longestAnswer) throw new CallError(`The answer of ${at}${path} is too long.`);
    if (!response.ok) throw refusal(`${at}${path}`, response.status, text);
    const type = response.headers.get('content-type') ?? '';
    if (!type.startsWith('application/json')) throw new NotThere(`${at}${path} is not there; ${checkUrl}`);
    const answer = shape.safeParse(JSON.parse(text));
    if (answer.success) return answer.data;
    throw new CallError(
      `What answers at ${at}${path} is not an Open WebUI that this command knows; ${checkUrl}`,
    );
  };
}

const checkUrl = 'check --url and the version of Open WebUI (0.10.2 or newer).';

async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    // A redirect would carry the token to an address that nobody typed.
    return await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
  } catch (cause) {
    const origin = URL.canParse(url) ? new URL(url).origin : url;
    throw new CallError(`Open WebUI does not answer at ${origin}; check --url.`, { cause });
  }
}

const detail = z.object({ detail: z.union([z.string(), z.unknown()]) });

function refusal(url: string, status: number, text: string): CallError {
  const said = detail.safeParse(parsed(text)).data?.detail;
  const words = typeof said === 'string' ? said.slice(0, 300) : `HTTP ${status}`;
  if (status === 404) return new NotThere(`${url}: ${words}`);
  if (status === 401 || status === 403) {
    const how =
      'give the session token or an API key of an administrator of Open WebUI, in OPEN_WEBUI_TOKEN or with --token-file';
    return new CallError(`Open WebUI refuses the token (${words}); ${how}.`);
  }
  return new CallError(`Open WebUI refuses ${new URL(url).pathname}: ${words}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A page of a proxy, say: the status is all there is to tell.
  }
}
