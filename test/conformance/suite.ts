import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const program = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url),
);

const checksFile = z.array(
  z.object({ id: z.string(), status: z.string(), errorMessage: z.string().optional() }),
);
export type Check = z.infer<typeof checksFile>[number];

export interface SuiteRun {
  /** Checks by scenario, in the order the suite ran them. */
  readonly scenarios: ReadonlyMap<string, readonly Check[]>;
  /** Whether every scenario that the revision requires passed. */
  readonly passed: boolean;
  readonly seconds: number;
  /** What the suite printed, for when it left no results. */
  readonly output: string;
}

/** What to run: everything a revision requires, or one scenario of it. */
export interface Selection {
  readonly revision: string;
  readonly scenario?: string | undefined;
}

/** Runs the official suite against a server. Its result files are read, not its text. */
export async function runSuite(url: string, { revision, scenario }: Selection): Promise<SuiteRun> {
  const results = await mkdtemp(path.join(tmpdir(), 'toolgate-conformance-results-'));
  const which =
    scenario === undefined
      ? ['--requirements', revision]
      : ['--scenario', scenario, '--spec-version', revision];
  const began = performance.now();
  try {
    const child = spawn(process.execPath, [program, 'server', '--url', url, ...which, '-o', results], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const [code] = await once(child, 'close');
    const scenarios = await readResults(results);
    return { scenarios, passed: code === 0, seconds: (performance.now() - began) / 1000, output };
  } finally {
    await rm(results, { recursive: true, force: true });
  }
}

/** Each scenario has a folder `server-<scenario>-<time>` with a `checks.json`. */
async function readResults(folder: string): Promise<Map<string, Check[]>> {
  const found: { name: string; time: string; checks: Check[] }[] = [];
  for (const entry of await readdir(folder)) {
    const [, name, time] = /^server-(.+)-(\d{4}-\d\d-\d\dT.+)$/.exec(entry) ?? [];
    if (name === undefined || time === undefined) continue;
    const text = await readFile(path.join(folder, entry, 'checks.json'), 'utf8');
    found.push({ name, time, checks: checksFile.parse(JSON.parse(text)) });
  }
  found.sort((a, b) => a.time.localeCompare(b.time));
  return new Map(found.map(({ name, checks }) => [name, checks]));
}
