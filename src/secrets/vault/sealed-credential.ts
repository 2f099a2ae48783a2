import { inspect } from 'node:util';
import type { Binding, Level } from '../binding.ts';
import type { FoundCredential } from '../credential.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import type { SealedRow } from './vault-store.ts';

/** A stored credential in memory: still sealed. There may be tens of thousands, so it holds nothing twice. */
export class SealedCredential implements FoundCredential {
  readonly id: string;
  readonly owner: Level;
  readonly ownerId: string | null;
  /** The only tenant that it may be used for; null: it belongs to none. */
  readonly tenant: string | null;
  readonly server: string;
  readonly name: string;
  readonly lastFour: string;
  /** When its use was last noted, in milliseconds since the epoch. */
  notedAt = Number.NEGATIVE_INFINITY;
  readonly #sealed: string;
  readonly #box: SecretBox;
  #version: string | undefined;

  constructor(row: SealedRow, box: SecretBox) {
    this.id = row.id;
    this.owner = row.owner.level;
    this.ownerId = row.owner.id;
    this.tenant = row.tenant;
    this.server = row.server;
    this.name = row.name;
    this.lastFour = row.lastFour;
    this.#sealed = row.sealed;
    this.#box = box;
  }

  /** Made when it is first asked for: most of them are not used between two changes. */
  get version(): string {
    return (this.#version ??= this.#box.versionOf(this.#sealed));
  }

  open(): string {
    return this.#box.open(this.#sealed, this.#binding());
  }

  /** Does the row say nothing else than this? */
  isOf(row: SealedRow): boolean {
    return (
      row.sealed === this.#sealed &&
      row.owner.level === this.owner &&
      row.owner.id === this.ownerId &&
      row.tenant === this.tenant &&
      row.server === this.server &&
      row.name === this.name &&
      row.lastFour === this.lastFour
    );
  }

  #binding(): Binding {
    const { tenant, owner, ownerId, server, name } = this;
    return { tenant, owner: { level: owner, id: ownerId }, server, name };
  }

  toString(): string {
    return `[credential ${this.id}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
