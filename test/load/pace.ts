import { setTimeout as wait } from 'node:timers/promises';

/** Something that clients of one kind do again and again. */
export interface Line {
  readonly name: string;
  readonly perSecond: number;
  /** Never rejects for what the gate answered. */
  once(): Promise<void>;
}

/** More of one kind than this are not begun at once: whoever is slower than planned is not buried. */
const mostAtOnce = 50;

export interface Paced {
  readonly begun: number;
  readonly skipped: number;
}

/** Runs every line at its pace until `until` (milliseconds since the epoch), then waits for what was begun. */
export async function runAll(lines: readonly Line[], until: number): Promise<Map<string, Paced>> {
  const done = await Promise.all(lines.map(async (line) => [line.name, await runLine(line, until)] as const));
  return new Map(done);
}

async function runLine(line: Line, until: number): Promise<Paced> {
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let begun = 0;
  let skipped = 0;
  const everyMs = 1_000 / line.perSecond;
  const began = Date.now();
  for (let turn = 1; Date.now() < until; turn++) {
    if (underWay.size < mostAtOnce) {
      begun += 1;
      const one: Promise<void> = line
        .once()
        .catch((error: unknown) => void failures.push(error))
        .finally(() => underWay.delete(one));
      underWay.add(one);
    } else skipped += 1;
    await wait(Math.max(0, Math.min(began + turn * everyMs, until) - Date.now()));
  }
  await Promise.all(underWay);
  if (failures.length > 0)
    throw new Error(`${line.name} failed ${failures.length} times`, { cause: failures[0] });
  return { begun, skipped };
}
