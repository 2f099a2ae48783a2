import { nameOf, type ProcessRow, type ProcessTable, variableOf } from './process-table.ts';

/** In the environment of every process that the runner starts, and of what that one starts unless it takes it out. */
export const markName = 'MCP_PROCESS_MARK';

/** How often a process is looked into: at first it may not have its environment yet. */
const looks = 2;

/** Which server a process was started for, by the mark in its environment: for those that left their family. */
export class Marks {
  readonly #known = new Map<string, { mark: string | undefined; looked: number }>();

  of(row: ProcessRow): string | undefined {
    const known = this.#known.get(nameOf(row)) ?? { mark: undefined, looked: 0 };
    if (known.mark !== undefined || known.looked >= looks) return known.mark;
    known.looked++;
    known.mark = variableOf(row.pid, markName);
    this.#known.set(nameOf(row), known);
    return known.mark;
  }

  /** What is known of those that are gone is of no use any more. */
  forget(table: ProcessTable): void {
    if (this.#known.size < 2 * table.size + 100) return;
    const alive = new Set([...table.values()].map(nameOf));
    for (const name of this.#known.keys()) if (!alive.has(name)) this.#known.delete(name);
  }
}
