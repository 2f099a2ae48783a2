import type { Marks } from './marks.ts';
import { killIfThere, nameOf, type ProcessRow, type ProcessTable, processTable } from './process-table.ts';

/** Whoever starts processes faster than they can be stopped gets this many attempts. */
const rounds = 20;

/**
 * The processes that belong to one server: the one that was started, and whatever it started. Where there is no
 * namespace around them, a daemon is known by its session, by its mark, or because it was seen before it slipped away.
 */
export class ProcessTree {
  readonly #root: number;
  readonly #mark: string;
  readonly #marks: Marks | undefined;
  #seen = new Set<string>();
  #isOver = false;

  /** Without `marks`, nothing can leave the family. */
  constructor(root: number, mark: string, marks: Marks | undefined) {
    this.#root = root;
    this.#mark = mark;
    this.#marks = marks;
  }

  members(table: ProcessTable): ProcessRow[] {
    if (this.#isOver) return [];
    const children = Map.groupBy(table.values(), ({ parent }) => parent);
    const found = new Map<number, ProcessRow>();
    const queue = [...table.values()].filter((row) => this.#isOurs(row));
    for (let row = queue.pop(); row; row = queue.pop()) {
      if (found.has(row.pid)) continue;
      found.set(row.pid, row);
      queue.push(...(children.get(row.pid) ?? []));
    }
    this.#seen = new Set([...found.values()].map(nameOf));
    this.#marks?.forget(table);
    return [...found.values()];
  }

  /** Ends all of them, for good: the numbers may be others' afterwards. Stopped first, so that none starts another. */
  kill(): void {
    const killed = new Set<number>();
    for (let round = 0; round < rounds; round++) {
      const fresh = this.members(processTable()).filter(({ pid }) => !killed.has(pid));
      if (fresh.length === 0) break;
      for (const { pid } of fresh) {
        killIfThere(pid, 'SIGSTOP');
        killed.add(pid);
      }
    }
    this.#isOver = true;
    for (const pid of killed) killIfThere(pid, 'SIGKILL');
  }

  #isOurs(row: ProcessRow): boolean {
    const isFamily = row.pid === this.#root || row.group === this.#root || row.session === this.#root;
    return isFamily || this.#seen.has(nameOf(row)) || this.#marks?.of(row) === this.#mark;
  }
}
