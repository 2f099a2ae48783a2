import type { SnapshotServer } from '../../access/index.ts';
import { signatureHeader } from '../../identity/index.ts';
import {
  type ChangingToken,
  credentialNames,
  expandHeaders,
  type FoundCredential,
} from '../../secrets/index.ts';
import { type ChangingHeaders, UpstreamError } from '../connectors/contract.ts';

type Headers = Readonly<Record<string, string>>;
type Credentials = ReadonlyMap<string, FoundCredential>;

/** What an account stands for: the bare `${credential}`. */
export const accountName = 'default';
/** Where its token goes unless the definition says it: RFC 6750, and what a gate behind looks at. */
const impliedToken = { name: 'Authorization', text: 'Bearer ${credential}' };
const impliedSignature = { name: signatureHeader, text: '${credential}' };

/** The headers of a server, with the one that its accounts stand in where no placeholder asks for them. */
export function headersOf(
  { definition }: SnapshotServer,
  headers: Headers,
  url: string | undefined,
): Headers {
  if (definition.type === 'stdio' || definition.account === undefined) return headers;
  if (asksForAccount([url ?? '', ...Object.values(headers)])) return headers;
  const implied = definition.account.kind === 'signed' ? impliedSignature : impliedToken;
  const others = Object.entries(headers).filter(
    ([name]) => name.toLowerCase() !== implied.name.toLowerCase(),
  );
  return { ...Object.fromEntries(others), [implied.name]: implied.text };
}

/**
 * Takes the headers that hold an account's token out of the others: they are filled in before each request, so that a
 * token which was renewed counts on connections that are open already. `open` gives the credentials beside it.
 */
export function splitHeaders(
  headers: Headers,
  credentials: Credentials,
  open: (name: string) => string,
): { readonly fixed: Headers; readonly changing?: ChangingHeaders } {
  const token = credentials.get(accountName)?.changing;
  if (token === undefined) return { fixed: headers };
  const entries = Object.entries(headers);
  const held = Object.fromEntries(entries.filter(([, text]) => asksForAccount([text])));
  const fixed = Object.fromEntries(entries.filter(([name]) => !Object.hasOwn(held, name)));
  return { fixed, changing: new AccountHeaders(held, token, open) };
}

/** An account stands in headers alone: addresses are logged on their way. */
export function refuseInUrl(server: string, url: string, credentials: Credentials): void {
  if (credentials.get(accountName)?.changing === undefined || !asksForAccount([url])) return;
  const message = `The server "${server}" wants the token of an account in its address, where the gate puts none.`;
  throw new UpstreamError('unauthorized', message);
}

function asksForAccount(texts: readonly string[]): boolean {
  return credentialNames(texts).includes(accountName);
}

class AccountHeaders implements ChangingHeaders {
  readonly #headers: Headers;
  readonly #token: ChangingToken;
  readonly #open: (name: string) => string;
  /** The headers of the newest token: the same object until there is another one. */
  #newest: { readonly token: string; readonly headers: Headers } | undefined;
  /** By the headers that were given out, the token that is in them. */
  readonly #given = new WeakMap<Headers, string>();

  constructor(headers: Headers, token: ChangingToken, open: (name: string) => string) {
    this.#headers = headers;
    this.#token = token;
    this.#open = open;
  }

  current(): Headers | Promise<Headers> {
    const token = this.#token.current();
    return typeof token === 'string' ? this.#with(token) : token.then((text) => this.#with(text));
  }

  refused(headers: Headers): Promise<boolean> {
    const token = this.#given.get(headers);
    return token === undefined ? Promise.resolve(false) : this.#token.refused(token);
  }

  #with(token: string): Headers {
    if (this.#newest?.token === token) return this.#newest.headers;
    const filled = expandHeaders(this.#headers, (name) => (name === accountName ? token : this.#open(name)));
    const headers = Object.fromEntries(
      Object.entries(filled).map(([name, value]) => [name.toLowerCase(), value]),
    );
    this.#given.set(headers, token);
    this.#newest = { token, headers };
    return headers;
  }
}
