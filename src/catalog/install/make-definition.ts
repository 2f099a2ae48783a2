import { type ServerDefinition, serverDefinition } from '../../access/contract.ts';
import { type CatalogField, placeholdersOf, type Way } from '../contract.ts';
import { containerAddress, templateOf } from './fields.ts';
import type { Form } from './forms.ts';
import { commandOf, type Pin } from './launch.ts';

/** What makes a definition out of a form. */
export interface Choice {
  readonly form: Form;
  /** Names of the fields that have a value; what is optional and left out is not in the definition. */
  readonly filled: ReadonlySet<string>;
  /** Null for what is not fetched by anybody: a URL, a program of the machine. */
  readonly pin: Pin | null;
}

/** The definition of a server: placeholders for every value, and nothing that anybody typed in. */
export function makeDefinition(choice: Choice): ServerDefinition {
  const { form } = choice;
  const { entry, way } = form;
  const common = { displayName: entry.name, description: entry.description };
  if (way.type !== 'stdio') return serverDefinition.parse({ ...remote(choice, way), ...common });
  if (way.serves) {
    const { transport, port, path } = way.serves;
    const url = `http://\${variable:${containerAddress}}:${port}${path}`;
    const type = transport === 'sse' ? 'sse' : 'http';
    return serverDefinition.parse({ type, url, ...common });
  }
  const isolation = entry.isolation && { isolation: entry.isolation };
  return serverDefinition.parse({ type: 'stdio', ...launch(choice, way), ...isolation, ...common });
}

/** What runs, of a form: command, arguments and names of the environment. */
export function launch({ form, filled, pin }: Choice, way: Extract<Way, { type: 'stdio' }>) {
  const asked = form.fields.filter(({ goesTo }) => goesTo.kind === 'env');
  const env = asked.filter(({ name }) => filled.has(name));
  const place = (field: CatalogField) =>
    `${isPath(field, way) ? `${ownDirectory}/` : ''}${placeholderOf(field)}`;
  const args = way.args.map((arg) => filledIn(arg, form.fields, place));
  return {
    ...commandOf(way, { pin, env: asked.map(({ goesTo }) => goesTo.name), args }),
    env: Object.fromEntries(env.map((field) => [field.goesTo.name, place(field)])),
  };
}

/** What stands for the directory that a process may keep things in. */
const ownDirectory = '${dataDir}';

/** A path on the machine, and not one inside a container. */
function isPath({ format }: CatalogField, { runtime }: Extract<Way, { type: 'stdio' }>): boolean {
  return format === 'path' && runtime !== 'docker';
}

function remote({ form, filled }: Choice, way: Exclude<Way, { type: 'stdio' }>) {
  const { entry, auth, fields } = form;
  const isOAuth = auth === 'oauth';
  const { scopes } = entry.auth.oauth ?? {};
  const own = fields
    .filter(({ goesTo, name }) => goesTo.kind === 'header' && filled.has(name))
    .map((field) => [field.goesTo.name, headerValue(form, field)]);
  const account = { kind: 'oauth', ...(scopes && { scopes }) };
  return {
    type: way.type === 'sse' ? 'sse' : 'http',
    url: withQuery(filledIn(way.url, fields), form, filled),
    headers: { ...(isOAuth && { Authorization: 'Bearer ${credential}' }), ...Object.fromEntries(own) },
    ...(isOAuth && { account }),
  };
}

function headerValue({ entry, auth }: Form, field: CatalogField): string {
  const header = entry.auth.headers.find(({ name }) => name === field.goesTo.name);
  const template = templateOf(header ?? {}, auth);
  const [name] = placeholdersOf(template);
  const value = placeholderOf(field);
  return name === undefined ? value : template.replace(`{${name}}`, () => value);
}

function withQuery(url: string, { fields }: Form, filled: ReadonlySet<string>): string {
  const asked = fields.filter(({ goesTo, name }) => goesTo.kind === 'query' && filled.has(name));
  return asked.reduce(
    (text, field) => `${text}${text.includes('?') ? '&' : '?'}${field.name}=${placeholderOf(field)}`,
    url,
  );
}

/** `{name}` of a URL or an argument becomes what stands for the value of that field. */
function filledIn(
  template: string,
  fields: readonly CatalogField[],
  place: (field: CatalogField) => string = placeholderOf,
): string {
  return template.replaceAll(/\{([^{}]*)\}/g, (whole, name: string) => {
    const field = fields.find((one) => one.name === name);
    return field ? place(field) : whole;
  });
}

function placeholderOf({ keptAs: { kind, name }, format }: CatalogField): string {
  if (kind === 'variable') return `\${variable:${name}}`;
  if (kind === 'client') throw new Error('a client is kept beside the definition');
  const form = format === 'basic' ? '.basic' : '';
  return name === 'default' ? `\${credential${form}}` : `\${credential${form}:${name}}`;
}
