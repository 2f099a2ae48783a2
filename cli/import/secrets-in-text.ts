import type { FoundKey } from './plan.ts';

const secretName =
  /(?:^|[_.-])(?:key|apikey|token|secret|passw(?:or)?d|pwd|passphrase|credentials?|pat|dsn|authorization|auth|connection[_-]?string)(?:[_-]?id)?$/i;
const secretCamelName = /(?:Key|Token|Secret|Password|Credentials?)$/;
/** How well-known secrets begin, so that one is found whatever its name. */
const secretValue =
  /^(?:gh[pousr]_|github_pat_|glpat-|sk-|sk_|rk_|pk_live_|xox[abeps]-|xapp-|lin_api_|ntn_|AKIA|ASIA|eyJ|npm_|hf_|pat-|shpat_|dop_v1_|AIza|ya29\.)/;
const urlPassword = /^([a-z][a-z0-9+.-]*:\/\/)([^/@\s:]*):([^/@\s]+)@/i;
/** What documentation puts where a secret belongs. */
const notYetFilledIn =
  /^(?:<.*>|\[.*\]|\{.*\}|x{3,}|\*{3,}|\.{3}|your[\s_-].*|.*[_-]here|changeme|todo|insert.*)$/i;
const placeholder = /\$\{[^}]*\}/;

/** Is what stands under this name a secret? A name decides, or how the value begins. */
export function isSecret(name: string, value: string): boolean {
  if (value === '' || placeholder.test(value)) return false;
  const known =
    secretName.test(name) || secretName.test(name.replace(/^-+/, '')) || secretCamelName.test(name);
  return known || secretValue.test(value) || urlPassword.test(value);
}

/** `<your api key>` and the like: nothing that could be stored. */
export function isPlaceholderText(value: string): boolean {
  return notYetFilledIn.test(value.trim());
}

/** A secret taken out of a text: where it stood, and as which key. */
export interface TakenOut {
  /** The text with `before` and `after` around the placeholder. */
  readonly before: string;
  readonly after: string;
  readonly value: string;
}

const scheme = /^(token token=|(?:bearer|basic|token|apikey|api-key|sentry-bearer)\s+)(\S+)$/i;

/** What of a value is the secret: behind `Bearer `, or all of it. */
export function secretIn(value: string): TakenOut {
  const [, before, secret] = scheme.exec(value) ?? [];
  return before !== undefined && secret !== undefined
    ? { before, value: secret, after: '' }
    : { before: '', value, after: '' };
}

/** Stands around a name until it is known how many there are; a private character, which no text of a file means. */
const mark = '\ue000';
const marked = /\ue000([^\ue000]*)\ue000/g;

/** Names for the secrets of one server: a single one is the `default`. */
export class KeyNames {
  readonly #keys = new Map<string, string>();
  readonly #fixed: FoundKey[] = [];

  /** The name to speak of it by until `placeholders` are final. */
  add(wanted: string, value: string): string {
    const clean = wanted.replace(/[^A-Za-z0-9_.-]/g, '_').slice(0, 60) || 'key';
    let name = clean;
    // The same secret in two places is one key; two secrets of one name are two.
    for (let number = 2; this.#keys.has(name) && this.#keys.get(name) !== value; number++)
      name = `${clean}_${number}`;
    this.#keys.set(name, value);
    return `${mark}${name}${mark}`;
  }

  /** A key that no placeholder names. */
  addFixed(name: string, value: string): void {
    this.#fixed.push({ name, value });
  }

  /** Puts the placeholders where `add` was used, everywhere in an entry. */
  fillIn(entry: unknown): unknown {
    const only = this.#keys.size === 1;
    const named = (name: string) => (only ? '${credential}' : `\${credential:${name}}`);
    if (typeof entry === 'string') return entry.replace(marked, (_, name: string) => named(name));
    if (Array.isArray(entry)) return entry.map((item) => this.fillIn(item));
    if (typeof entry !== 'object' || entry === null) return entry;
    return Object.fromEntries(Object.entries(entry).map(([key, value]) => [key, this.fillIn(value)]));
  }

  /** Those that can be stored. */
  found(): FoundKey[] {
    const only = this.#keys.size === 1;
    const named = [...this.#keys].map(([name, value]) => ({ name: only ? 'default' : name, value }));
    return [...named, ...this.#fixed].filter(({ value }) => !isPlaceholderText(value));
  }

  /** Those of which the file holds only a reminder, and the option that they are then stored with. */
  missing(): { wanted: string; option: string }[] {
    const isOnly = this.#keys.size === 1;
    const absent = [...this.#keys].filter(([, value]) => isPlaceholderText(value));
    return absent.map(([wanted]) => ({ wanted, option: isOnly ? '' : ` --name ${wanted}` }));
  }
}
