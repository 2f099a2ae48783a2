// A stdio MCP server whose tools have every kind of schema, result and error that the OpenAPI face has to show.
// Written by hand, so that what goes over the wire is exactly what stands here.
import { createInterface } from 'node:readline';

const text = (...items: string[]) => ({ content: items.map((item) => ({ type: 'text', text: item })) });
const image = { type: 'image', mimeType: 'image/png', data: 'iVBORw0KGgo=' };
const embedded = { type: 'resource', resource: { uri: 'demo://a', text: 'inside' } };

/** Results by name, for the tool `give`. */
const results: Readonly<Record<string, object>> = {
  text: text('plain words'),
  json: text('{"b":1,"a":[1,2.50,null],"big":12345678901234567890,"none":null}'),
  number: text('42'),
  quoted: text('"in quotes"'),
  empty: { content: [] },
  two: text('one', '{"two":2}'),
  image: { content: [image] },
  mixed: { content: [{ type: 'text', text: 'look' }, image] },
  audio: { content: [{ type: 'audio', mimeType: 'audio/wav', data: 'AAAA' }] },
  embedded: { content: [embedded] },
  link: { content: [{ type: 'resource_link', uri: 'demo://b', name: 'b' }] },
  linked: {
    content: [
      { type: 'text', text: 'see' },
      { type: 'resource_link', uri: 'demo://b', name: 'b' },
    ],
  },
  structured: { ...text('{"sum":3,"extra":true}'), structuredContent: { sum: 3 } },
  error: { ...text('it went wrong'), isError: true },
  errors: { ...text('first', 'second'), isError: true },
  'error-image': { content: [image], isError: true },
  'error-empty': { content: [], isError: true },
  nan: text('NaN'),
};

const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more });

const tools = [
  {
    name: 'echo',
    description: 'Says which arguments came',
    inputSchema: object(
      { message: { type: 'string', description: 'What to say' } },
      { required: ['message'] },
    ),
  },
  {
    name: 'scalars',
    description: 'Scalars with defaults',
    inputSchema: object(
      {
        s: { type: 'string', description: 'text', default: 'x', minLength: 1, format: 'date' },
        i: { type: 'integer', description: 'whole', minimum: 1, maximum: 9 },
        n: { type: 'number', default: 0.5 },
        b: { type: 'boolean', default: false },
        e: { type: 'string', enum: ['red', 'green'], default: 'red', title: 'Colour' },
        c: { const: 'only' },
        any: { description: 'anything' },
      },
      { required: ['i', 'e'], additionalProperties: false },
    ),
  },
  {
    name: 'nested-things',
    title: 'Nested things',
    description: 'Objects, lists, references',
    inputSchema: object(
      {
        who: object(
          { name: { type: 'string' }, age: { type: 'integer', default: 3 }, _id: { type: 'string' } },
          { required: ['name'], description: 'A person' },
        ),
        points: {
          type: 'array',
          items: object({ x: { type: 'number' }, y: { type: 'number' } }, { required: ['x'] }),
        },
        tags: { type: 'array', items: { type: 'string', enum: ['a', 'b'] }, description: 'labels' },
        loose: { type: 'array' },
        free: { type: 'object', additionalProperties: { type: 'integer' } },
        place: { $ref: '#/$defs/Place', description: 'ignored beside a reference' },
        places: { type: 'array', items: { $ref: '#/$defs/Place' } },
      },
      {
        required: ['who', 'places'],
        $defs: {
          Place: object(
            { city: { type: 'string' }, zip: { type: ['string', 'null'] } },
            { required: ['city'] },
          ),
        },
      },
    ),
  },
  {
    name: 'maybe',
    description: 'Nullable in every way',
    inputSchema: object(
      {
        a: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null, description: 'maybe text' },
        b: { type: ['integer', 'null'], description: 'maybe whole' },
        c: { type: ['string', 'number'] },
        d: { oneOf: [{ type: 'string' }, { type: 'number' }] },
        e: { anyOf: [{ type: 'array', items: { type: 'string' } }, object({ k: { type: 'string' } })] },
        f: { type: 'null' },
      },
      { required: ['b', 'c'] },
    ),
  },
  {
    name: 'under_score',
    description: 'Names that Python minds',
    inputSchema: object(
      {
        _top: { type: 'integer', description: 'leading underscore' },
        __filter: { type: 'string' },
        top: { type: 'integer' },
        'x-y': { type: 'string' },
        class: { type: 'string' },
      },
      { required: ['_top', 'class'] },
    ),
  },
  { name: 'bare', inputSchema: { type: 'object' } },
  { name: 'no.args', description: 'No arguments', inputSchema: object({}) },
  {
    name: 'with_output',
    description: 'Says what it answers',
    inputSchema: object({ a: { type: 'integer' } }, { required: ['a'] }),
    outputSchema: object(
      {
        sum: { type: 'integer', description: 'the sum' },
        note: { type: 'string' },
        deep: object({ z: { type: 'string' } }),
      },
      { required: ['sum'] },
    ),
  },
  {
    name: 'give',
    description: 'Answers with the result of that name',
    inputSchema: object({ kind: { type: 'string' } }, { required: ['kind'] }),
  },
  {
    name: 'fail',
    description: 'Answers with a JSON-RPC error of that code',
    inputSchema: object({ code: { type: 'integer' }, data: {} }, { required: ['code'] }),
  },
];

interface Message {
  id?: number | string;
  method?: string;
  params?: { protocolVersion?: string; name?: string; arguments?: Record<string, unknown> };
}

function answer({ method, params }: Message): object {
  if (method === 'initialize')
    return {
      result: {
        protocolVersion: params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'tool-zoo', version: '7.1' },
        instructions: 'Pet nothing.',
      },
    };
  if (method === 'ping') return { result: {} };
  if (method === 'tools/list') return { result: { tools } };
  if (method !== 'tools/call') return { error: { code: -32601, message: 'Method not found' } };
  const args = params?.arguments ?? {};
  if (params?.name === 'give') return { result: results[String(args['kind'])] ?? text('no such kind') };
  if (params?.name === 'with_output') {
    const structuredContent = { sum: Number(args['a']) + 1 };
    return {
      result: {
        ...text(JSON.stringify({ ...structuredContent, unknown: 1, note: null })),
        structuredContent,
      },
    };
  }
  if (params?.name === 'fail') {
    const { code, data } = args;
    return { error: { code, message: `refused with ${String(code)}`, ...(data !== undefined && { data }) } };
  }
  return { result: text(JSON.stringify({ arguments: args })) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const message: Message = JSON.parse(line);
  if (message.id === undefined || message.method === undefined) continue;
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id: message.id, ...answer(message) })}\n`);
}
