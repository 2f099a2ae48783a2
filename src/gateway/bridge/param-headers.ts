import { isObject } from '../rpc/message.ts';
import { headerValue } from '../upstreams/handshake.ts';

/** `x-mcp-header`: arguments that travel in `Mcp-Param-*` headers as well (basic/transports/streamable-http.mdx). */
export interface MirroredParam {
  /** Header name in lower case. */
  readonly header: string;
  /** Where the argument stands in `arguments`. */
  readonly path: readonly string[];
  readonly isInteger: boolean;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}$/;
const mirrorable: readonly unknown[] = ['string', 'integer', 'boolean'];
const mostMirrored = 50;
const deepest = 10;

/**
 * Annotated properties of a tool's input schema, reachable through `properties` alone. An annotation that breaks the
 * rules is passed over: whether the tool is shown at all is the client's to decide.
 */
export function mirroredParams(schema: unknown): MirroredParam[] {
  const found = new Map<string, MirroredParam>();
  const visit = (node: unknown, path: readonly string[]) => {
    const properties = isObject(node) ? node['properties'] : undefined;
    if (!isObject(properties) || path.length >= deepest) return;
    for (const [name, property] of Object.entries(properties)) {
      if (!isObject(property) || found.size >= mostMirrored) continue;
      const own = [...path, name];
      const { 'x-mcp-header': annotation, type } = property;
      if (typeof annotation === 'string' && token.test(annotation) && mirrorable.includes(type)) {
        const header = `mcp-param-${annotation.toLowerCase()}`;
        if (!found.has(header)) found.set(header, { header, path: own, isInteger: type === 'integer' });
      }
      visit(property, own);
    }
  };
  visit(schema, []);
  return [...found.values()];
}

/** The headers for these arguments; an argument that is absent or null has none. */
export function paramHeaders(params: readonly MirroredParam[], args: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { header, path } of params) {
    const value = textOf(valueAt(args, path));
    if (value !== undefined) headers[header] = headerValue(value);
  }
  return headers;
}

/** What the first header that does not say what the arguments say is about; undefined when all agree. */
export function contradiction(
  params: readonly MirroredParam[],
  args: unknown,
  headers: Readonly<Record<string, string>>,
): string | undefined {
  for (const { header, path, isInteger } of params) {
    const value = valueAt(args, path);
    const text = textOf(value);
    if (text === undefined) continue;
    const sent = headers[header];
    if (sent === undefined) return `the ${header} header is missing for the argument ${path.join('.')}`;
    const said = decodedHeader(sent);
    const isSame = isInteger && said !== undefined ? numeric(said) === value : said === text;
    if (!isSame) return `the ${header} header does not say what the argument ${path.join('.')} says`;
  }
  return undefined;
}

/** Header text as the specification encodes it; undefined when the encoding is broken. */
export function decodedHeader(value: string): string | undefined {
  // Half an envelope is none: the text stands for itself.
  if (!value.startsWith('=?base64?') || !value.endsWith('?=')) return value;
  const match = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value);
  if (!match) return undefined;
  const text = Buffer.from(match[1] ?? '', 'base64').toString('utf8');
  return Buffer.from(text, 'utf8').toString('base64') === match[1] || headerValue(text) === value
    ? text
    : undefined;
}

/** `42.0` says 42. */
function numeric(text: string): number | undefined {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function valueAt(args: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (node, key) => (isObject(node) && Object.hasOwn(node, key) ? node[key] : undefined),
    args,
  );
}

/** Integers that JSON.parse may have rounded have no text that is sure to be right. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'number') return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
}
