// 70 servers of the shipped catalog with their stand-ins, and what each stand-in wants to be shown. The definitions are
// the catalog's own; what is wanted is read off the entries a second time, apart from the code that made those.
// Knows nothing of a test framework.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServerDefinition } from '../../src/access/contract.ts';
import type { CatalogField } from '../../src/catalog/contract.ts';
import { makeDefinition } from '../../src/catalog/install/make-definition.ts';
import type { ProcessContract } from '../fakes/catalog-stand-in-stdio.ts';
import { type Presented, type StandIn, startStandIns } from '../fakes/catalog-stand-ins.ts';
import { type DeadWay, deadWays, startDeadPlaces } from '../fakes/dead-places.ts';
import { standInTools } from '../fakes/stand-in-tools.ts';
import { type Chosen, seventyEntries } from './seventy-entries.ts';

/** Whose keys and values: those that everybody shares, or a tenant's. */
export type KeySet = 'shared' | 'north' | 'south';

export interface SeventyServer extends Chosen {
  readonly dead: DeadWay | 'exits' | undefined;
  readonly tools: readonly string[];
  /** As the config file has it. */
  readonly definition: object;
  /** What `${variable:…}` stands for there. */
  valuesOf(set: KeySet): Record<string, string>;
  /** Its keys by the names that they are stored under. */
  keysOf(set: KeySet): Record<string, string>;
  /** What a tool answers that it was shown. `person` is whose account it is, where people have accounts. */
  shownTo(set: KeySet, person: string): object;
  /** The address that an account's token goes to; undefined where there are no accounts. */
  resourceOf(set: KeySet): string | undefined;
}

const stdioScript = fileURLToPath(new URL('../fakes/catalog-stand-in-stdio.ts', import.meta.url));
const image = `sha256:${'0'.repeat(64)}`;
const pins = {
  npx: { version: '1.2.3', digest: null },
  uvx: { version: '1.2.3', digest: null },
  docker: { version: 'latest', digest: image },
  binary: null,
};

/** `dead`: how many of the remote ones and of the processes do not live. `people` may have accounts, for each server. */
export async function seventyServers(o: {
  folder: string;
  dead: { remote: number; stdio: number };
  accounts: readonly { person: string; set: KeySet }[];
}) {
  const places = await startDeadPlaces();
  const byId = new Map<string, StandIn>();
  const standIns = await startStandIns((id) => byId.get(id));
  const contractFile = path.join(o.folder, 'processes.json');
  const deaths = deathsOf(seventyEntries(), o.dead);
  const servers = seventyEntries().map((chosen) => {
    const dead = deaths.get(chosen.id);
    const origin = dead === undefined || dead === 'exits' ? standIns.origin : places.origins[dead];
    return new CatalogServer(chosen, { dead, origin, contractFile });
  });
  const contracts: Record<string, ProcessContract> = {};
  for (const server of servers) {
    if (server.form.way.type === 'stdio') contracts[server.id] = server.processContract();
    else if (server.dead === undefined) byId.set(server.id, server.standIn(o.accounts));
  }
  await writeFile(contractFile, JSON.stringify(contracts));
  return { servers: servers as readonly SeventyServer[], standIns, places };
}

/**
 * Of the kinds that there are more than two of every fourth process and every third remote server, each death in its
 * turn, as long as some are to die.
 */
function deathsOf(
  chosen: readonly Chosen[],
  dead: { remote: number; stdio: number },
): Map<string, DeadWay | 'exits'> {
  const kindOf = ({ form }: Chosen) => `${form.way.type} ${form.auth}`;
  const byKind = Map.groupBy(chosen, kindOf);
  const mortal = chosen.filter((one) => (byKind.get(kindOf(one))?.length ?? 0) > 2);
  const isProcess = ({ form }: Chosen) => form.way.type === 'stdio';
  const processes = mortal.filter(isProcess).filter((_, n) => n % 4 === 1);
  const remote = mortal.filter((one) => !isProcess(one)).filter((_, n) => n % 3 === 1);
  return new Map([
    ...processes.slice(0, dead.stdio).map(({ id }) => [id, 'exits'] as const),
    ...remote.slice(0, dead.remote).map(({ id }, n) => [id, deadWays[n % deadWays.length]!] as const),
  ]);
}

interface Standing {
  readonly dead: DeadWay | 'exits' | undefined;
  readonly origin: string;
  readonly contractFile: string;
}

class CatalogServer implements SeventyServer {
  readonly id: string;
  readonly at: number;
  readonly form: Chosen['form'];
  readonly dead: Standing['dead'];
  readonly tools: readonly string[];
  readonly definition: object;
  readonly #standing: Standing;

  constructor({ id, at, form }: Chosen, standing: Standing) {
    this.id = id;
    this.at = at;
    this.form = form;
    this.dead = standing.dead;
    this.tools = standInTools(at);
    this.#standing = standing;
    this.definition = { ...this.#redirected(), variables: this.valuesOf('shared') };
  }

  valuesOf(set: KeySet): Record<string, string> {
    const own = this.#fields().filter(({ keptAs }) => keptAs.kind === 'variable');
    return Object.fromEntries(own.map((field) => [field.keptAs.name, this.#value(set, field)]));
  }

  keysOf(set: KeySet): Record<string, string> {
    const own = this.#fields().filter(({ keptAs }) => keptAs.kind === 'credential');
    return Object.fromEntries(own.map((field) => [field.keptAs.name, this.#value(set, field)]));
  }

  shownTo(set: KeySet, person: string): object {
    const { way, entry } = this.form;
    if (way.type !== 'stdio') return this.#presented(set, person);
    const env = this.#fields().filter(({ goesTo }) => goesTo.kind === 'env');
    const names = new Set(entry.auth.env.map(({ name }) => name));
    return {
      env: Object.fromEntries(
        env.filter(({ name }) => names.has(name)).map((field) => [field.name, this.#value(set, field)]),
      ),
      args: way.args.map((arg) => this.#filledIn(arg, set, String)),
      ofGate: [],
    };
  }

  resourceOf(set: KeySet): string | undefined {
    if (this.form.auth !== 'oauth') return undefined;
    return `${this.#standing.origin}${this.#target(set)}`;
  }

  standIn(accounts: readonly { person: string; set: KeySet }[]): StandIn {
    const { auth, way } = this.form;
    const takers = auth === 'oauth' ? accounts : sets.map((set) => ({ set, person: '' }));
    return {
      ...{ id: this.id, at: this.at, tools: this.tools, modern: way.type !== 'sse' && this.at % 2 === 0 },
      type: way.type === 'sse' ? 'sse' : 'http',
      takes: takers.map(({ set, person }) => this.#presented(set, person)),
      challenge: ({ oauth: 'oauth', none: 'none', basic: 'Basic' } as const)[auth as 'oauth'] ?? 'Bearer',
    };
  }

  processContract(): ProcessContract {
    const { way } = this.form;
    if (way.type !== 'stdio') throw new Error(`${this.id} is no process`);
    const env = this.#fields().filter(({ goesTo }) => goesTo.kind === 'env');
    return {
      ...{ at: this.at, tools: this.tools, ownArguments: way.args.length },
      env: env.map(({ name }) => name),
      ...(this.dead === 'exits' && { dies: 'The licence of this server has run out.' }),
    };
  }

  /** Everything that is asked for is filled in, but for the gate's client at an authorization server. */
  #fields(): readonly CatalogField[] {
    return this.form.fields.filter(({ goesTo }) => goesTo.kind !== 'account');
  }

  #value(set: KeySet, { name, format, secret, goesTo }: CatalogField): string {
    if (format === 'host' && goesTo.kind === 'url') return new URL(this.#standing.origin).host;
    if (format === 'path') return `data-${set}`;
    const text = `${set}-${name}`.toLowerCase().replaceAll('_', '-');
    if (!secret) return text;
    return format === 'basic'
      ? `${set}@${this.id}.example:secret-of-${text}`
      : `secret-of-${this.id}-${text}`;
  }

  /** The same definition, but at the stand-in: path, query, headers, arguments and environment stay. */
  #redirected(): object {
    const { form } = this;
    const filled = new Set(this.#fields().map(({ name }) => name));
    const pin = form.way.type === 'stdio' ? pins[form.way.runtime] : null;
    const definition: ServerDefinition = makeDefinition({ form, filled, pin });
    if (definition.type === 'stdio') {
      const args = [stdioScript, this.#standing.contractFile, this.id, ...definition.args];
      return { ...definition, command: process.execPath, args };
    }
    const [, authority = '', rest = ''] = /^https?:\/\/([^/?#]+)(.*)$/.exec(definition.url) ?? [];
    const { protocol, host } = new URL(this.#standing.origin);
    const [variable = host] = /\$\{variable:[^}]+\}/.exec(authority) ?? [];
    return { ...definition, url: `${protocol}//${variable}/${this.id}${rest}` };
  }

  #presented(set: KeySet, person: string): Presented {
    return {
      as: this.#shownAs(set, person),
      target: this.#target(set),
      headers: Object.fromEntries(this.#headers(set, person)),
    };
  }

  #shownAs(set: KeySet, person: string): string {
    if (this.form.auth === 'oauth') return person;
    return this.#fields().length > 0 ? set : 'anybody';
  }

  #target(set: KeySet): string {
    const { way } = this.form;
    if (way.type === 'stdio') throw new Error(`${this.id} has no address`);
    const [, rest = ''] = /^https?:\/\/[^/?#]+(.*)$/.exec(way.url) ?? [];
    const target = `/${this.id}${this.#filledIn(rest, set, encodeURIComponent)}`;
    const query = this.#fields()
      .filter(({ goesTo }) => goesTo.kind === 'query')
      .map((field) => `${field.name}=${encodeURIComponent(this.#value(set, field))}`);
    if (query.length === 0) return target;
    return `${target}${target.includes('?') ? '&' : '?'}${query.join('&')}`;
  }

  #headers(set: KeySet, person: string): [string, string][] {
    const { entry, auth } = this.form;
    const asked = this.#fields().filter(({ goesTo }) => goesTo.kind === 'header');
    const own = asked.map((field): [string, string] => {
      const { valueTemplate = '{value}' } = entry.auth.headers.find(
        ({ name }) => name === field.goesTo.name,
      )!;
      const alternatives = valueTemplate.split(' | ');
      const isBasic = (template: string) => template.startsWith('Basic ');
      const [template = ''] = alternatives.filter((one) => isBasic(one) === (auth === 'basic'));
      const value = this.#value(set, field);
      const spelled = auth === 'basic' ? Buffer.from(value).toString('base64') : value;
      return [field.goesTo.name.toLowerCase(), template.replace(/\{[^}]*\}/, () => spelled)];
    });
    return auth === 'oauth' ? [...own, ['authorization', `Bearer ${tokenOf(this.id, person)}`]] : own;
  }

  #filledIn(template: string, set: KeySet, spell: (value: string) => string): string {
    return template.replaceAll(/\{([^{}]*)\}/g, (whole, name: string) => {
      const field = this.form.fields.find((one) => one.name === name);
      return field ? spell(this.#value(set, field)) : whole;
    });
  }
}

const sets: readonly KeySet[] = ['shared', 'north', 'south'];

/** The access token that was given out to this person for this server. */
export function tokenOf(id: string, person: string): string {
  return `account-of-${person}-at-${id}`;
}
