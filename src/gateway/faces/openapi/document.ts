// OpenAPI 3.1 documents with the paths, operation ids and schemas of mcpo 0.0.20, made of what the caller may see.
import { LRUCache } from 'lru-cache';
import { mergedName } from '../../lists/names.ts';
import type { View } from '../../lists/view.ts';
import { isObject } from '../../rpc/message.ts';
import { findMember, membersOf } from '../../rpc/raw.ts';
import { gateInfo } from '../../upstreams/handshake.ts';
import { Components, titleOf } from './components.ts';
import { FreeNames } from './free-names.ts';
import { type Field, type Json, readModel } from './schema.ts';

/** One server and the tools of it that the caller sees. */
export interface Section {
  readonly server: string;
  /** What the server says of itself. */
  readonly serverInfo: unknown;
  readonly instructions: string | undefined;
  readonly view: View;
}

/** An operation, for the page that lists them. */
interface Operation {
  readonly path: string;
  readonly operationId: string;
  readonly description: string;
}

export interface Document {
  readonly title: string;
  readonly operations: readonly Operation[];
  /** JSON text. */
  readonly text: string;
}

/** So many characters of documents are kept. */
const mostKept = 64 * 1024 * 1024;

/** Documents by what they are made of: callers with the same rights share them, and a change makes another one. */
export class Documents {
  readonly #kept = new LRUCache<string, Kept>({
    maxSize: mostKept,
    sizeCalculation: ({ document }, key) => document.text.length + key.length,
  });

  /** `/tools/{server}/openapi.json`. */
  ofServer(section: Section): Document {
    const { server, serverInfo, instructions, view } = section;
    const words = JSON.stringify([serverInfo, instructions]);
    return this.#document(`one ${server} ${view.id} ${words}`, [view], () =>
      makeDocument(infoOf(section), `../${server}`, [{ view, server: null }]),
    );
  }

  /** `/tools/openapi.json`: every server, sorted by id. */
  merged(sections: readonly Section[]): Document {
    const views = sections.map(({ view }) => view);
    return this.#document(`all ${views.map(({ id }) => id).join(' ')}`, views, () => {
      const parts = sections.map(({ view, server }) => ({ view, server }));
      const names = parts.map(({ server }) => server).join(', ');
      const { title, version } = gateInfo;
      return makeDocument(
        { title, description: `Tools of: ${names || 'nothing yet'}`, version },
        '../tools',
        parts,
      );
    });
  }

  #document(key: string, madeOf: readonly unknown[], make: () => Document): Document {
    const found = this.#kept.get(key);
    // A list that changed, or the rights behind it, made another view.
    if (found?.madeOf.every((part, at) => part === madeOf[at])) return found.document;
    const document = make();
    this.#kept.set(key, { madeOf, document });
    return document;
  }
}

interface Kept {
  readonly madeOf: readonly unknown[];
  readonly document: Document;
}

interface Part {
  readonly view: View;
  /** Id of the server where it is one of several. */
  readonly server: string | null;
}

interface Info {
  readonly title: string;
  readonly description: string;
  readonly version: string;
}

function infoOf({ server, serverInfo, instructions }: Section): Info {
  const about = isObject(serverInfo) ? serverInfo : {};
  const text = (key: string, otherwise: string) => {
    const value = about[key];
    return typeof value === 'string' && value !== '' ? value : otherwise;
  };
  const title = text('name', server);
  return {
    title,
    description: instructions || `${title} MCP Server`,
    version: text('version', '1.0'),
  };
}

/** `serverUrl` is relative to the document, so that it is right behind any proxy (OpenAPI 3.1, 4.8.5). */
function makeDocument(info: Info, serverUrl: string, parts: readonly Part[]): Document {
  const components = new Components();
  const ids = new FreeNames();
  const operations: Operation[] = [];
  const paths: [string, Json][] = [];
  let takesBodies = false;
  for (const { view, server } of parts) {
    for (const item of view.items) {
      if (!fitsInUrl(item.name)) continue;
      const path = `${server === null ? '' : `/${server}`}/${segmentOf(item.name)}`;
      const operationId = ids.take(server === null ? fastApiId(item.name) : mergedName(server, item.name));
      const name = server === null ? item.name : operationId;
      const made = operation(item, { name, operationId, components });
      takesBodies ||= 'requestBody' in made;
      paths.push([path, { post: made }]);
      const { description } = made;
      operations.push({ path, operationId, description: typeof description === 'string' ? description : '' });
    }
  }
  if (takesBodies) addValidationErrors(components);
  const document = {
    openapi: '3.1.0',
    info,
    servers: [{ url: serverUrl }],
    paths: Object.fromEntries(paths),
    components: {
      schemas: components.all(),
      securitySchemes: { HTTPBearer: { type: 'http', scheme: 'bearer' } },
    },
  };
  return { title: info.title, operations, text: JSON.stringify(document) };
}

function operation(
  item: { readonly name: string; readonly raw: string },
  as: { readonly name: string; readonly operationId: string; readonly components: Components },
): Json {
  const { name, operationId, components } = as;
  const description = descriptionOf(item.raw);
  const input = readModel(partOf(item.raw, 'inputSchema'), `${name}_form_model`);
  const takesBody = input.fields.length > 0 || input.isOpen;
  return {
    summary: titleOf(item.name),
    ...(description !== undefined && { description }),
    operationId,
    ...(takesBody && { requestBody: { content: json(components.schemaOf(input)), required: true } }),
    responses: takesBody
      ? { 200: { ...success, content: json(responseOf(item.raw, as)) }, 422: validationError }
      : { 200: { ...success, content: json({}) } },
    security: [{ HTTPBearer: [] }],
  };
}

function responseOf(
  rawTool: string,
  { name, operationId, components }: { name: string; operationId: string; components: Components },
): Json {
  const title = titleOf(`Response_${operationId}`);
  const output = readModel(partOf(rawTool, 'outputSchema'), `${name}_response_model`);
  return output.fields.length === 0 ? { title } : { anyOf: [components.schemaOf(output), {}], title };
}

const success = { description: 'Successful Response' } as const;
const validationError = {
  description: 'Validation Error',
  content: json({ $ref: '#/components/schemas/HTTPValidationError' }),
};

/** FastAPI's own two schemas, in the words of the others. */
function addValidationErrors(components: Components): void {
  const text = { kind: 'string', kept: {} } as const;
  const loc = { kind: 'union', kept: {}, options: [text, { kind: 'integer', kept: {} }] } as const;
  const field = (name: string, type: Field['type'], title: string) => ({
    [name]: { ...components.schemaOf(type), title },
  });
  components.add('ValidationError', {
    properties: {
      ...field('loc', { kind: 'list', kept: {}, items: loc }, 'Location'),
      ...field('msg', text, 'Message'),
      ...field('type', text, 'Error Type'),
    },
    type: 'object',
    required: ['loc', 'msg', 'type'],
    title: 'ValidationError',
  });
  const items = { $ref: '#/components/schemas/ValidationError' };
  components.add('HTTPValidationError', {
    properties: { detail: { items, type: 'array', title: 'Detail' } },
    type: 'object',
    title: 'HTTPValidationError',
  });
}

/** What FastAPI calls the route of a function `tool` at `/{name}`: filters and prompts of users hold these names. */
function fastApiId(name: string): string {
  return `tool_${name.replaceAll(/[^\p{L}\p{N}_]/gu, '_')}_post`;
}

/**
 * Clients shorten `/evil/../github/drop` before they send it, and what the model took for one server's tool would be
 * another's. Half a character cannot be written at all.
 */
function fitsInUrl(name: string): boolean {
  return name.isWellFormed() && !name.split('/').some((segment) => segment === '.' || segment === '..');
}

/** A name as part of a URL; a brace would make it a template, a question mark its end. */
function segmentOf(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}

function json(schema: Json): Json {
  return { 'application/json': { schema } };
}

function descriptionOf(rawTool: string): string | undefined {
  const value: unknown = JSON.parse(partOf(rawTool, 'description') || 'null');
  return typeof value === 'string' ? value : undefined;
}

function partOf(raw: string, key: string): string {
  const span = findMember(membersOf(raw), key);
  return span ? raw.slice(span.start, span.end) : '';
}
