import { credentialName } from './contract.ts';
import { credentialMalformed, placeholderInvalid } from './errors.ts';

/** Gives the secret for a credential's name; throws when there is none. */
export type Resolve = (name: string) => string;

const placeholder = /\$\{credential(?::([^}]*))?\}/g;

// What undici and RFC 9110 5.5 let a field value hold: no line break can begin another header.
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * The names of the credentials that these strings of a server definition need, sorted, each once; `default` is
 * the bare `${credential}`. Throws `credential_placeholder_invalid` for a name that no credential can have.
 */
export function credentialNames(texts: Iterable<string>): string[] {
  const names = new Set<string>();
  for (const text of texts) {
    for (const [, name] of text.matchAll(placeholder)) names.add(checkedName(name));
  }
  return [...names].sort();
}

/** Arguments and environment values. A secret is put in as it is: what looks like a placeholder in it stays. */
export function expandText(text: string, resolve: Resolve): string {
  return expand(text, resolve, (secret) => secret);
}

/** A URL: secrets are percent-encoded, so that none can change the host or begin another part. */
export function expandUrl(url: string, resolve: Resolve): string {
  return expand(url, resolve, encodeURIComponent);
}

/** Header values. Throws `credential_malformed` for a value that would break out of its header. */
export function expandHeaders(
  headers: Readonly<Record<string, string>>,
  resolve: Resolve,
): Record<string, string> {
  const expanded = Object.entries(headers).map(([header, text]): [string, string] => {
    const value = expandText(text, resolve);
    if (headerValue.test(value)) return [header, value];
    throw credentialMalformed(
      `for the header ${header} holds a line break or another character that no header can carry`,
    );
  });
  return Object.fromEntries(expanded);
}

function expand(text: string, resolve: Resolve, encode: (secret: string) => string): string {
  return text.replace(placeholder, (_match, name: string | undefined) => {
    const secret = resolve(checkedName(name));
    // Node refuses NUL in arguments and environments with an error that quotes the whole value.
    if (secret.includes('\0')) throw credentialMalformed('holds a NUL character');
    return encode(secret);
  });
}

function checkedName(name: string | undefined): string {
  if (name === undefined) return 'default';
  const checked = credentialName.safeParse(name);
  if (!checked.success) throw placeholderInvalid(name);
  return checked.data;
}
