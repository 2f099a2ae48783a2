import {
  type AuthKind,
  type CatalogEntry,
  type CatalogField,
  placeholdersOf,
  type Way,
} from '../contract.ts';

type Draft = Omit<CatalogField, 'keptAs'>;
type Variable = Way['variables'][number];
type Header = CatalogEntry['auth']['headers'][number];
type EnvironmentVariable = CatalogEntry['auth']['env'][number];

/** The gate's client at an authorization server, registered by hand. */
export const clientFieldNames = {
  clientId: 'oauth-client-id',
  clientSecret: 'oauth-client-secret',
  issuer: 'oauth-issuer',
} as const;
/** Where a container that listens on HTTP is. */
export const containerAddress = 'address';

/** What a way of an entry asks for with one kind of signing in. */
export function fieldsOf(
  entry: CatalogEntry,
  way: Way,
  auth: AuthKind,
): { fields: CatalogField[]; oneOf: string[] } {
  const drafts = [...variableFields(way), ...ownFields(entry, way, auth), ...clientFields(entry, way, auth)];
  const secrets = drafts.filter(({ secret, goesTo }) => secret && goesTo.kind !== 'account');
  const isKeyed = auth !== 'none' && auth !== 'oauth';
  const hasMust = secrets.some(({ required }) => required);
  const [only, ...others] = secrets;
  const isOnly = isKeyed && !hasMust && others.length === 0 ? only?.name : undefined;
  const main = (secrets.find(({ required }) => required) ?? only)?.name;
  const fields = drafts.map((draft) => ({
    ...draft,
    required: draft.required || draft.name === isOnly,
    keptAs: keeping(draft, main),
  }));
  const oneOf = isKeyed && !hasMust && others.length > 0 ? secrets.map(({ name }) => name) : [];
  return { fields, oneOf };
}

/** The main secret is what `${credential}` means; the others go by the name of their field. */
function keeping({ name, secret, goesTo }: Draft, main: string | undefined): CatalogField['keptAs'] {
  if (goesTo.kind === 'account') return { kind: 'client', name: goesTo.name };
  if (!secret) return { kind: 'variable', name };
  return { kind: 'credential', name: name === main ? 'default' : name };
}

function variableFields(way: Way): Draft[] {
  return way.variables.map((variable: Variable) => ({
    ...basics(variable),
    format: variable.format ?? 'text',
    goesTo: { kind: placeOf(way, variable), name: variable.name },
  }));
}

function placeOf(way: Way, { query }: Variable): Draft['goesTo']['kind'] {
  if (way.type === 'stdio') return 'argument';
  return query ? 'query' : 'url';
}

function ownFields(entry: CatalogEntry, way: Way, auth: AuthKind): Draft[] {
  if (way.type !== 'stdio') {
    const isKeyed = auth !== 'none' && auth !== 'oauth';
    return entry.auth.headers
      .filter((header) => isAsked(header, auth) && (isKeyed || !header.secret))
      .map((header) => headerField(header, auth));
  }
  if (way.serves) return [addressField(way.package)];
  return entry.auth.env
    .filter((one) => isAsked(one, auth) && !(auth === 'none' && one.secret))
    .map(environmentField);
}

/** Fields that are for some kinds of signing in are asked for with those alone. */
function isAsked({ for: kinds }: { for?: readonly AuthKind[] | undefined }, auth: AuthKind): boolean {
  return kinds === undefined || kinds.includes(auth);
}

function headerField(header: Header, auth: AuthKind): Draft {
  const [placeholder] = placeholdersOf(templateOf(header, auth));
  const isBasic = placeholder?.startsWith('base64_') === true;
  const name = placeholder?.replace(/^base64_/, '') ?? header.name;
  return {
    ...basics({ ...header, name }),
    // With a key of one's own, a header that takes one is what signs in.
    required: header.secret || header.required,
    format: isBasic ? 'basic' : 'text',
    example: isBasic || !header.valueTemplate?.includes(' | ') ? (header.example ?? null) : null,
    goesTo: { kind: 'header', name: header.name },
  };
}

/** The alternative of a header's template that fits the kind of signing in; empty: the plain value. */
export function templateOf({ valueTemplate = '' }: Pick<Header, 'valueTemplate'>, auth: AuthKind): string {
  const all = valueTemplate.split(' | ');
  const wanted = all.find((one) => /^basic /i.test(one) === (auth === 'basic'));
  return wanted ?? all[0] ?? '';
}

function environmentField(one: EnvironmentVariable): Draft {
  return {
    ...basics(one),
    required: one.required || one.for !== undefined,
    format: one.format ?? 'text',
    goesTo: { kind: 'env', name: one.name },
  };
}

function addressField(image: string): Draft {
  return {
    name: containerAddress,
    label: 'Address of the container',
    help: `Host name or address where you run ${image}; a private one has to be allowed under network.allow.`,
    secret: false,
    required: true,
    format: 'host',
    example: 'tools.acme.com',
    goesTo: { kind: 'url', name: containerAddress },
  };
}

/** Where the vendor registers no clients by itself, one is registered by hand. */
function clientFields({ auth: { oauth } }: CatalogEntry, way: Way, auth: AuthKind): Draft[] {
  if (auth !== 'oauth' || way.type === 'stdio' || oauth === undefined) return [];
  const byHand = oauth.dcr === false;
  const help = byHand
    ? `The vendor registers no clients by itself${oauth.note ? `: ${oauth.note}` : ''}.`
    : 'Only where the vendor does not register the gate by itself.';
  const common = { format: 'text', example: null } as const;
  const to = (name: keyof typeof clientFieldNames) => ({
    name: clientFieldNames[name],
    goesTo: { kind: 'account' as const, name },
  });
  return [
    { ...to('clientId'), label: 'Client id', help, secret: false, required: byHand, ...common },
    { ...to('clientSecret'), label: 'Client secret', help, secret: true, required: false, ...common },
    {
      ...{ ...to('issuer'), label: 'Authorization server', secret: false, required: false, ...common },
      help: 'Its address, where the server does not name it; asked of the server by default.',
    },
  ];
}

interface Asked {
  readonly name: string;
  readonly description: string;
  readonly secret: boolean;
  readonly required: boolean;
  readonly example?: string | undefined;
}

function basics({ name, description, secret, required, example }: Asked) {
  return { name, label: labelOf(name), help: description, secret, required, example: example ?? null };
}

/** `GITHUB_PERSONAL_ACCESS_TOKEN` -> Github personal access token. */
function labelOf(name: string): string {
  const words = name
    .replaceAll(/[_.-]+/g, ' ')
    .trim()
    .toLowerCase();
  const upper = words.replaceAll(/\b(api|url|uri|id|mcp|pat|dsn|ssl|aws|http|sse)\b/g, (word) =>
    word.toUpperCase(),
  );
  return upper.charAt(0).toUpperCase() + upper.slice(1);
}
