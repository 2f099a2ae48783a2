import type { Endpoint } from '../platform/contract.ts';
import { check, formatPath } from '../platform/mistakes.ts';
import { adminErrors, InvalidRequest, maxBodyBytes } from './errors.ts';

/** A body can hold thousands of mistakes; nobody reads more than these. */
const maxDetails = 20;

interface RawInput {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string[]>>;
  readonly request: Request;
}

/** Checks path, query and body against the endpoint, all three before it complains. Throws AppError 400, 413 or 415. */
export async function parseInput(endpoint: Endpoint, raw: RawInput) {
  const bodyWanted = endpoint.body.type !== 'undefined';
  const params = check(endpoint.params, raw.params);
  const query = check(endpoint.query, queryValues(raw.query));
  const body = check(endpoint.body, bodyWanted ? await readJson(raw.request) : undefined);
  if (params.ok && query.ok && body.ok) return { params: params.value, query: query.value, body: body.value };
  const details = Object.entries({ params, query, body }).flatMap(([part, checked]) =>
    checked.ok
      ? []
      : checked.mistakes.map(({ path, message }) => ({ path: formatPath([part, ...path]), message })),
  );
  throw new InvalidRequest(details.slice(0, maxDetails));
}

/** `?search=` means the same as leaving it out; a parameter given twice stays a list, which its schema refuses. */
function queryValues(query: RawInput['query']): Record<string, unknown> {
  const given = Object.entries(query).filter(([, values]) => values.some((value) => value !== ''));
  return Object.fromEntries(given.map(([name, values]) => [name, values.length === 1 ? values[0] : values]));
}

async function readJson(request: Request): Promise<unknown> {
  const bytes = await readCapped(request);
  if (bytes.length === 0) return undefined;
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  // Asking for JSON also keeps web pages of other sites out: a form cannot send it.
  if (type !== 'application/json') throw adminErrors.notJson();
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw adminErrors.brokenJson();
  }
}

async function readCapped(request: Request): Promise<Buffer> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBodyBytes) throw adminErrors.bodyTooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBodyBytes) throw adminErrors.bodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
