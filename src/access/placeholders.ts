import { isIPv6 } from 'node:net';
import { credentialFault } from '../secrets/index.ts';

/** Gives the value that stands for a name; throws where there is none. */
export type LookUp = (name: string) => string;

/** Why a text cannot be filled in: a sentence that is read after the name of what holds it, and quotes no value. */
export class Unfit extends Error {
  override readonly name = 'Unfit';
  /** The one to blame, where there is one. */
  readonly variable: string | undefined;

  constructor(message: string, variable?: string) {
    super(message);
    this.variable = variable;
  }
}

const variable = /\$\{variable:([^}]*)\}/g;
const wellFormed = /^\$\{variable:[A-Za-z0-9_.-]{1,64}\}$/;
/** What begins like a variable, right or wrong. Other `${…}`, such as those of a shell, are left alone. */
const alike = /\$\{\s*variables?(?![A-Za-z0-9_-])[^}]*\}?/g;
/** What is filled in later, with its escape: a value must neither become one nor change one. */
const later = /\$?\$\{(?:env|credential)[^}]*\}?/g;

// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
const plain = /^[^\u0000-\u001f\u007f]*$/;
// What undici and RFC 9110 5.5 let a field value hold.
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const hostValue = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
const label = '[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?';
const authorityForm = new RegExp(`^(?:${label}(?:\\.${label})*|\\[([0-9A-Fa-f:.]+)\\])(?::(\\d{1,5}))?$`);
const remote = /^(https?:\/\/)([^/?#\\]+)(.*)$/is;

/** Names of the variables that these texts need, each once. */
export function variableNames(texts: Iterable<string>): string[] {
  const names = new Set<string>();
  for (const text of texts) for (const [, name = ''] of text.matchAll(variable)) names.add(name);
  return [...names];
}

/** What is wrong with the placeholders of a header, an argument or an environment value; undefined: nothing. */
export function faultInText(text: string): string | undefined {
  const isWrong = (text.match(alike) ?? []).some((found) => !wellFormed.test(found));
  return isWrong ? 'holds a variable that is not spelled ${variable:NAME}' : credentialFault(text);
}

/** The same of a URL, whose host may hold variables and nothing else. */
export function faultInUrl(url: string): string | undefined {
  const fault = faultInText(url);
  if (fault !== undefined || !url.includes('${')) return fault;
  const [, , authority] = remote.exec(url) ?? [];
  if (authority === undefined) return 'must begin with http:// or https:// and a host';
  if (authority.replace(variable, '').includes('${'))
    return 'may hold only ${variable:NAME} where its host stands: a key goes into a header, the path or the query';
  return authority.includes('@') ? 'must not have a user name before its host; use a header' : undefined;
}

/** Environment values. */
export function fillText(text: string, lookUp: LookUp): string {
  const fault = credentialFault(text);
  if (fault !== undefined) throw new Unfit(fault);
  const filled = text.replace(variable, (_, name: string) => checked(name, lookUp, plain));
  const pieces = text.split(/\$\{variable:[^}]*\}/);
  const expected = pieces.flatMap((piece) => piece.match(later) ?? []);
  const found = filled.match(later) ?? [];
  if (found.length === expected.length && found.every((one, at) => one === expected[at])) return filled;
  throw new Unfit('would make a placeholder of another kind out of what stands beside it');
}

export function fillHeader(text: string, lookUp: LookUp): string {
  const filled = fillText(text, lookUp);
  if (headerValue.test(filled)) return filled;
  throw new Unfit('holds a character that no header can carry');
}

/** One argument of a process: a value at its beginning must not make an option of it. */
export function fillArgument(text: string, lookUp: LookUp): string {
  const filled = fillText(text, lookUp);
  if (!text.startsWith('${variable:') || !filled.startsWith('-')) return filled;
  throw new Unfit('begins with "-", which would make an option of the argument');
}

/**
 * A URL. In its host a value must be a host name or an address, with a port if need be; anywhere else it is
 * percent-encoded, and may neither begin another part of the path nor be `.` or `..`.
 */
export function fillUrl(url: string, lookUp: LookUp): string {
  const fault = faultInUrl(url);
  if (fault !== undefined) throw new Unfit(fault);
  if (!url.includes('${variable:')) return url;
  const [, scheme = '', authority = '', rest = ''] = remote.exec(url) ?? [];
  const host = authority.replace(variable, (_, name: string) => checked(name, lookUp, hostValue));
  if (host !== authority && !isAuthority(host)) throw new Unfit('does not make a host out of its variables');
  const begin = `${scheme}${host}`;
  const filled = begin + rest.replace(variable, (_, name: string) => encoded(checked(name, lookUp, plain)));
  if (depthOf(filled) === depthOf(begin + rest.replace(variable, 'v'))) return filled;
  throw new Unfit('has a variable that changes the steps of its path');
}

function checked(name: string, lookUp: LookUp, form: RegExp): string {
  const value = lookUp(name);
  if (form.test(value)) return value;
  const why =
    form === hostValue
      ? 'must be a host name or an address, with a port if need be'
      : 'holds control characters';
  throw new Unfit(`has the variable "${name}", whose value ${why}`, name);
}

function isAuthority(text: string): boolean {
  const [whole, v6, port] = authorityForm.exec(text) ?? [];
  if (whole === undefined || (v6 !== undefined && !isIPv6(v6))) return false;
  return port === undefined || (Number(port) > 0 && Number(port) <= 65_535);
}

function encoded(value: string): string {
  if (!value.isWellFormed()) throw new Unfit('has a variable whose value is broken text');
  return encodeURIComponent(value);
}

/** Parsed as a connector does it, so that every spelling of `..` counts. */
function depthOf(url: string): number {
  const parsed = URL.parse(url);
  if (!parsed) throw new Unfit('does not make a URL out of its variables');
  return parsed.pathname.split('/').length;
}
