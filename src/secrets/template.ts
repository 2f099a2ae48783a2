import { credentialName } from './contract.ts';
import { credentialMalformed, placeholderInvalid } from './errors.ts';

/** Gives the secret for a credential's name; throws when there is none. */
export type Resolve = (name: string) => string;

/** What `expand…` found out beside the secrets themselves: other spellings of them, which are as secret. */
export type Derived = (text: string) => void;

const placeholder = /\$\{credential([.:][^}]*)?\}/g;
/** What begins like one, right or wrong. Other `${…}`, such as those of a shell, are left alone. */
const alike = /\$\{\s*credentials?(?![A-Za-z0-9_-])[^}]*\}?/g;

// What undici and RFC 9110 5.5 let a field value hold: no line break can begin another header.
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;

type Form = 'plain' | 'url' | 'basic';

interface Placeholder {
  readonly form: Form;
  readonly name: string;
  /** The password, where `name` is the user of basic sign-in alone. */
  readonly password: string | undefined;
}

/**
 * The names of the credentials that these strings of a server definition need, sorted, each once; `default` is
 * the bare `${credential}`. Throws `credential_placeholder_invalid` for what names none.
 */
export function credentialNames(texts: Iterable<string>): string[] {
  const names = new Set<string>();
  for (const text of texts) {
    for (const [, rest] of text.matchAll(placeholder)) {
      const { name, password } = parsed(rest);
      names.add(name);
      if (password !== undefined) names.add(password);
    }
  }
  return [...names].sort();
}

/** What is wrong with the credentials that a text asks for, to be read after its name; undefined: nothing. */
export function credentialFault(text: string): string | undefined {
  const isRight = (found: string) => {
    const [match] = found.matchAll(placeholder);
    return match?.[0] === found && understood(match[1] ?? '') !== undefined;
  };
  return (text.match(alike) ?? []).every(isRight)
    ? undefined
    : 'holds a credential that is not spelled ${credential}, ${credential:NAME}, ${credential.url:NAME} or ${credential.basic:USER:PASSWORD}';
}

/** One argument of a process. Throws `credential_malformed` for a secret that would make an option of it. */
export function expandArgument(text: string, resolve: Resolve, derived?: Derived): string {
  const expanded = expandText(text, resolve, derived);
  if (!text.startsWith('${credential') || !expanded.startsWith('-')) return expanded;
  throw credentialMalformed('begins with "-", which makes an option of an argument', 'store another one');
}

/** Environment values. A secret is put in as it is: what looks like a placeholder in it stays. */
export function expandText(text: string, resolve: Resolve, derived?: Derived): string {
  return expand(text, { resolve, derived, encode: (secret) => secret });
}

/**
 * A URL: secrets are percent-encoded, so that none can change the host or begin another part. Throws
 * `credential_malformed` for one that would be a step in the path, which nothing can encode.
 */
export function expandUrl(url: string, resolve: Resolve, derived?: Derived): string {
  const expanded = expand(url, { resolve, derived, encode: encodeURIComponent });
  if (dotSegments(expanded) !== dotSegments(url))
    throw credentialMalformed('is a step in the path of a URL, "." or ".."', 'store another one');
  return expanded;
}

/** Header values. Throws `credential_malformed` for a value that would break out of its header. */
export function expandHeaders(
  headers: Readonly<Record<string, string>>,
  resolve: Resolve,
  derived?: Derived,
): Record<string, string> {
  const expanded = Object.entries(headers).map(([header, text]): [string, string] => {
    const value = expandText(text, resolve, derived);
    if (headerValue.test(value)) return [header, value];
    throw credentialMalformed(
      `for the header ${header} holds a line break or another character that no header can carry`,
    );
  });
  return Object.fromEntries(expanded);
}

interface Expansion {
  readonly resolve: Resolve;
  readonly derived: Derived | undefined;
  readonly encode: (secret: string) => string;
}

function expand(text: string, { resolve, derived, encode }: Expansion): string {
  const secretOf = (name: string) => {
    const secret = resolve(name);
    // Node refuses NUL in arguments and environments with an error that quotes the whole value.
    if (secret.includes('\0')) throw credentialMalformed('holds a NUL character');
    return secret;
  };
  return text.replace(placeholder, (_match, rest: string | undefined) => {
    const { form, name, password } = parsed(rest);
    const secret = secretOf(name);
    if (form === 'plain') return encode(secret);
    // A URL encodes it once, and no more than once.
    const made = form === 'url' ? encodeURIComponent(secret) : basic(secret, password && secretOf(password));
    const spelled = form === 'url' ? made : encode(made);
    derived?.(made);
    if (spelled !== made) derived?.(spelled);
    return spelled;
  });
}

/** RFC 7617: `user:password` in base64. Where there is no second credential, the first one holds both. */
function basic(user: string, password: string | undefined): string {
  if (password === undefined && !user.includes(':'))
    throw credentialMalformed('for basic sign-in is no "user:password"', 'store it so');
  if (password !== undefined && user.includes(':'))
    throw credentialMalformed('is the user name of basic sign-in and holds a colon');
  return Buffer.from(password === undefined ? user : `${user}:${password}`, 'utf8').toString('base64');
}

const forms: ReadonlyMap<string, Form> = new Map([
  ['', 'plain'],
  ['.url', 'url'],
  ['.basic', 'basic'],
]);

/** `rest` is what follows `${credential`: nothing, `:NAME`, `.FORM`, `.FORM:NAME`, or `.basic:USER:PASSWORD`. */
function parsed(rest = ''): Placeholder {
  const found = understood(rest);
  if (found === undefined) throw placeholderInvalid(`\${credential${rest}}`);
  return found;
}

function understood(rest: string): Placeholder | undefined {
  const [head = '', ...names] = rest.split(':');
  const form = forms.get(head);
  const areRight = names.every((name) => credentialName.safeParse(name).success);
  if (form === undefined || !areRight || names.length > (form === 'basic' ? 2 : 1)) return undefined;
  const [name = 'default', password] = names;
  return { form, name, password };
}

/** How many `.` and `..` the path of a URL holds, which whoever reads it takes away. */
function dotSegments(url: string): number {
  const [path = ''] = url.split(/[?#]/);
  return path.split(/[/\\]/).filter((segment) => /^(?:\.|%2e){1,2}$/i.test(segment)).length;
}
