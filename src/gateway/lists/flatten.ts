// For a client that sends only those arguments which the schema's top-level `properties` name: Open WebUI up to 0.11.4
// drops every other. Later versions send all, but hand the schema on to model APIs that refuse such roots.
import { invalidParams } from '../refusals.ts';
import { isObject } from '../rpc/message.ts';
import { editObject, findMember, type Member, membersOf } from '../rpc/raw.ts';
import { shapeOf } from './schema-shape.ts';

/** Holds the arguments that no property names, as JSON text of an object. A tool that has one by this name gets the next. */
const extraNames = ['arguments_json', 'more_arguments_json'];

const extraSchema = JSON.stringify({
  type: 'string',
  description:
    'JSON text of one object with the further arguments of this tool: those that the other parameters do not name.',
});

/**
 * The tool with an input schema of the type "object" whose properties all stand at the top; a schema that has them
 * there already stays byte for byte. `outputSchema` goes: this client makes no use of it but to fail calls whose result
 * does not fit it.
 */
export function flattened(rawTool: string): string {
  const tool = membersOf(rawTool);
  const withoutOutput = findMember(tool, 'outputSchema')
    ? editObject(rawTool, { outputSchema: null })
    : rawTool;
  const span = findMember(tool, 'inputSchema');
  const rawSchema = span ? rawTool.slice(span.start, span.end) : '';
  const flat = rawSchema.startsWith('{') ? flatSchema(rawSchema) : '{"type":"object"}';
  return flat === rawSchema ? withoutOutput : editObject(withoutOutput, { inputSchema: flat });
}

/** The arguments as the tool's own schema wants them. Throws `invalid_params` where they cannot be read. */
export function unflattenArguments(rawTool: string, rawArguments: string): string {
  const name = extraNameOf(rawTool);
  if (name === undefined || !rawArguments.startsWith('{')) return rawArguments;
  const given = membersOf(rawArguments);
  const span = findMember(given, name);
  if (!span) return rawArguments;
  const rawExtra = extraObject(rawArguments.slice(span.start, span.end), name);
  const named = new Set(given.map(({ key }) => key));
  const parts = [
    ...given.filter(({ key }) => key !== name).map(({ keyStart, end }) => rawArguments.slice(keyStart, end)),
    // A parameter that was given by its name is what was meant.
    ...membersOf(rawExtra)
      .filter(({ key }) => key === name || !named.has(key))
      .map(({ keyStart, end }) => rawExtra.slice(keyStart, end)),
  ];
  return `{${parts.join(',')}}`;
}

/** Could these arguments hold what `flattened` made room for? A cheap look before the tool is searched for. */
export function mayHoldExtra(rawParams: string): boolean {
  return extraNames.some((name) => rawParams.includes(name));
}

function extraNameOf(rawTool: string): string | undefined {
  const span = findMember(membersOf(rawTool), 'inputSchema');
  const rawSchema = span ? rawTool.slice(span.start, span.end) : '{}';
  if (!rawSchema.startsWith('{')) return undefined;
  const { properties, takesOthers } = shapeOf(rawSchema);
  return takesOthers ? extraNames.find((name) => !properties.has(name)) : undefined;
}

/** The text of an object, or the object itself from a model that does not mind the type. */
function extraObject(rawValue: string, name: string): string {
  const value: unknown = JSON.parse(rawValue);
  const text = typeof value === 'string' ? value.trim() || '{}' : rawValue;
  try {
    if (isObject(JSON.parse(text))) return text;
  } catch {
    // Told below, as for any other text that is no object.
  }
  throw invalidParams(`"${name}" must be the JSON text of an object, such as {"key":"value"}.`);
}

/** The same text for a schema that needs no change. */
function flatSchema(rawSchema: string): string {
  const members = membersOf(rawSchema);
  const { properties, required, takesOthers } = shapeOf(rawSchema);
  const own = findMember(members, 'properties');
  const rawOwn = own ? rawSchema.slice(own.start, own.end) : '{}';
  // `properties` that are no object would make the client fail altogether.
  const ownNames = rawOwn.startsWith('{') ? new Set(membersOf(rawOwn).map(({ key }) => key)) : undefined;
  const extra = takesOthers ? extraNames.find((name) => !properties.has(name)) : undefined;
  const isRead = ownNames && extra === undefined && [...properties.keys()].every((key) => ownNames.has(key));
  if (isRead) return typed(rawSchema, members);
  const shown = [...properties].map(
    ([key, raw]) => `${JSON.stringify(key)}:${stillResolves(raw) ? raw : '{}'}`,
  );
  if (extra !== undefined) shown.push(`${JSON.stringify(extra)}:${extraSchema}`);
  const parts = [`"type":"object","properties":{${shown.join(',')}}`];
  if (required.size > 0) parts.push(`"required":${JSON.stringify([...required])}`);
  // What properties refer to has to stay where they look for it.
  const kept = shown.some((text) => text.includes('$ref'))
    ? ['$schema', '$defs', 'definitions']
    : ['$schema'];
  for (const key of [...kept, 'title', 'description']) {
    const member = findMember(members, key);
    if (member) parts.push(`${JSON.stringify(key)}:${rawSchema.slice(member.start, member.end)}`);
  }
  return `{${parts.join(',')}}`;
}

/** The Python SDK 2.x takes no list with a tool whose schema does not say that it is an object's. */
function typed(rawSchema: string, members: readonly Member[]): string {
  const type = findMember(members, 'type');
  const isTyped = type && rawSchema.slice(type.start, type.end) === '"object"';
  return isTyped ? rawSchema : editObject(rawSchema, { type: '"object"' });
}

/** A reference into what is left out would lead nowhere, and model APIs refuse the whole request over it. */
function stillResolves(rawProperty: string): boolean {
  const references = rawProperty.matchAll(/"\$ref"\s*:\s*"([^"]*)"/g);
  return [...references].every(
    ([, to]) => to === '#' || /^#\/(\$defs|definitions|properties)\//.test(to ?? ''),
  );
}
