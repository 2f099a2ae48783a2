/**
 * Names that are given once each. Two names may differ in characters alone that none may hold here, so the next to want
 * one gets a number; counted, because a server may have thousands of them.
 */
export class FreeNames {
  readonly #taken = new Set<string>();
  readonly #next = new Map<string, number>();

  take(wanted: string): string {
    let name = wanted;
    let at = this.#next.get(wanted) ?? 2;
    while (this.#taken.has(name)) name = `${wanted}_${at++}`;
    this.#next.set(wanted, at);
    this.#taken.add(name);
    return name;
  }
}
