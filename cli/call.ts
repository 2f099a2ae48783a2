import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import type { z } from 'zod';
import { errorBody } from '../src/admin/contract.ts';
import type { Endpoint } from '../src/platform/contract.ts';
import { readSecret } from './read-text.ts';
import { CallError, type Terminal } from './terminal.ts';

export interface CallInput<E extends Endpoint> {
  readonly params?: z.input<E['params']>;
  readonly query?: z.input<E['query']>;
  readonly body?: z.input<E['body']>;
  /** For what takes longer than usual, in milliseconds. */
  readonly timeoutMs?: number;
}

/** Calls an endpoint of the admin API; the answer is what its contract promises. Throws CallError. */
export type Call = <E extends Endpoint>(endpoint: E, input?: CallInput<E>) => Promise<z.output<E['output']>>;

export interface Connection {
  readonly url: string;
  readonly json: boolean;
  readonly call: Call;
  /** The same for a download: its text, as it comes. */
  readonly download: <E extends Endpoint>(endpoint: E, input?: CallInput<E>) => AsyncIterable<string>;
}

interface Address {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

/** A day: records may be many. */
const downloadMs = 86_400_000;

/** Where the command's options and the environment say that Toolgate is. */
export function connect(command: Command, terminal: Terminal): Connection {
  return connectTo(command.optsWithGlobals<Address>(), terminal);
}

/** The same for a command whose own options mean something else by these names. */
export function connectTo(options: Address, terminal: Terminal): Connection {
  const { env } = terminal;
  const url = (options.url ?? (env['PUBLIC_URL'] || `http://localhost:${env['PORT'] || '8085'}`)).replace(
    /\/+$/,
    '',
  );
  let given: Promise<string> | undefined;
  const send = async <E extends Endpoint>(endpoint: E, input: CallInput<E>): Promise<Response> => {
    const token = await (given ??= adminToken(options, terminal));
    const address = `${url}/mcp-admin/api${target(endpoint, input)}`;
    const init: RequestInit = {
      method: endpoint.method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
    };
    const response = await request(address, init, input.timeoutMs);
    if (!response.ok) throw new CallError(await refusal(response));
    return response;
  };
  const call: Call = async (endpoint, input = {}) => {
    const response = await send(endpoint, input);
    const answer = endpoint.output.safeParse(
      response.status === 204 ? undefined : await response.json().catch(() => null),
    );
    // The schema that parsed it is the very one that the return type is inferred from.
    if (answer.success || endpoint.status === 204)
      return answer.data as z.output<(typeof endpoint)['output']>;
    throw new CallError(`What answered at ${url} is not this version of Toolgate.`);
  };
  async function* download<E extends Endpoint>(endpoint: E, input: CallInput<E> = {}): AsyncIterable<string> {
    const { body } = await send(endpoint, { timeoutMs: downloadMs, ...input });
    try {
      if (body) yield* body.pipeThrough(new TextDecoderStream());
    } catch (cause) {
      throw new CallError('The download broke off, so it is not complete; try again.', { cause });
    }
  }
  return { url, json: options.json ?? false, call, download };
}

/** `fetch` with a deadline, and with failures put in words. Throws CallError. */
export async function request(url: string, init: RequestInit = {}, timeoutMs = 30_000): Promise<Response> {
  try {
    // A redirect would carry the admin token to an address that nobody typed.
    return await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
  } catch (cause) {
    const origin = URL.canParse(url) ? new URL(url).origin : url;
    throw new CallError(
      `Toolgate does not answer at ${origin}; start it with "npm start", or say where it is with --url.`,
      { cause },
    );
  }
}

function target(endpoint: Endpoint, input: CallInput<Endpoint>): string {
  const params: Record<string, unknown> = input.params ?? {};
  const pathname = endpoint.path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(params[name])),
  );
  const given = Object.entries(input.query ?? {}).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  const query = new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)])));
  return query.size === 0 ? pathname : `${pathname}?${query}`;
}

async function refusal(response: Response): Promise<string> {
  const parsed = errorBody.safeParse(await response.json().catch(() => null));
  if (!parsed.success) return `The answer was HTTP ${response.status}, and not from Toolgate; check --url.`;
  const { message, requestId } = parsed.data.error;
  return response.status >= 500 ? `${message} (request ${requestId})` : message;
}

async function adminToken({ tokenFile }: Address, terminal: Terminal): Promise<string> {
  if (tokenFile !== undefined) return readSecret(tokenFile, terminal, 'admin token');
  return terminal.env['TOOLGATE_ADMIN_TOKEN'] || storedToken(terminal.env);
}

function storedToken(env: Terminal['env']): string {
  const file = path.join(env['TOOLGATE_DATA_DIR'] || '.toolgate', 'admin-token');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new CallError(
      `There is no admin token: give --token-file or TOOLGATE_ADMIN_TOKEN, or run this where ${file} is.`,
      { cause },
    );
  }
}
