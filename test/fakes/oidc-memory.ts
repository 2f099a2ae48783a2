import type { Adapter, AdapterPayload } from 'oidc-provider';

/** What one authorization server remembers, for as long as the test lasts. */
export class OidcMemory implements Adapter {
  readonly #model: string;
  readonly #stored: Map<string, AdapterPayload>;

  constructor(model: string, stored: Map<string, AdapterPayload>) {
    this.#model = model;
    this.#stored = stored;
  }

  async upsert(id: string, payload: AdapterPayload): Promise<undefined> {
    this.#stored.set(this.#key(id), payload);
    return undefined;
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return this.#stored.get(this.#key(id));
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return [...this.#stored].find(([key, one]) => key.startsWith(`${this.#model}:`) && one.uid === uid)?.[1];
  }

  async findByUserCode(): Promise<undefined> {
    return undefined;
  }

  async consume(id: string): Promise<undefined> {
    const found = this.#stored.get(this.#key(id));
    if (found) found.consumed = Math.floor(Date.now() / 1000);
    return undefined;
  }

  async destroy(id: string): Promise<undefined> {
    this.#stored.delete(this.#key(id));
    return undefined;
  }

  async revokeByGrantId(grantId: string): Promise<undefined> {
    for (const [key, { grantId: of }] of this.#stored) if (of === grantId) this.#stored.delete(key);
    return undefined;
  }

  #key(id: string): string {
    return `${this.#model}:${id}`;
  }
}
