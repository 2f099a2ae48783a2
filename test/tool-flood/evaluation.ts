// The tools of 30 real servers as one caller of the merged endpoint sees them, and how well search_tools answers 60
// questions about them. README.md says where they come from.
import { readFileSync } from 'node:fs';
import type { SnapshotServer } from '../../src/access/index.ts';
import type { ViewItem } from '../../src/gateway/lists/view.ts';
import { mergedName } from '../../src/gateway/lists/names.ts';
import type { OwnTools } from '../../src/gateway/meta/own-tools.ts';
import { searchTools } from '../../src/gateway/meta/search-tools.ts';
import { ToolIndexes } from '../../src/gateway/meta/tool-indexes.ts';
import { editObject } from '../../src/gateway/rpc/raw.ts';
import { snapshotOf } from '../access-world.ts';

interface ServerTools {
  readonly displayName: string;
  readonly description: string;
  readonly tools: readonly {
    readonly name: string;
    readonly description: string;
    readonly inputSchema: object;
  }[];
}

export interface Question {
  readonly question: string;
  /** Any of them is right. */
  readonly tools: readonly string[];
  /** Weights and words were chosen without it. */
  readonly heldOut: boolean;
}

export interface Figures {
  readonly questions: number;
  readonly first: number;
  readonly firstFive: number;
  /** Mean of 1 / place of the first right tool, 0 beyond the 25th. */
  readonly meanReciprocalRank: number;
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));
}

// Data of ours, which the first test of recall.test.ts checks.
export const questions = read('questions.json') as readonly Question[];
const collected = read('tools.json') as Readonly<Record<string, ServerTools>>;

/** The whole list, sorted as tools/list sorts it. */
export const items: readonly ViewItem[] = Object.entries(collected)
  .flatMap(([server, { tools }]) =>
    tools.map((tool) => {
      const name = mergedName(server, tool.name);
      const raw = editObject(JSON.stringify(tool), { name: JSON.stringify(name) });
      return { server, key: tool.name, name, raw };
    }),
  )
  .sort((a, b) => (a.name < b.name ? -1 : 1));

export const servers: readonly SnapshotServer[] = [
  ...snapshotOf({
    servers: Object.fromEntries(
      Object.entries(collected).map(([id, { displayName, description }]) => [
        id,
        { enabled: true, type: 'http', url: 'http://127.0.0.1/mcp', displayName, description },
      ]),
    ),
  }).servers.values(),
];

export const own: OwnTools = {
  view: { id: 'all', items, pages: new Map(), digest: '', byName: undefined },
  known: [],
  servers,
};

const indexes = new ToolIndexes();

/** What search_tools answers, as text. */
export async function answerTo(query: string, limit?: number): Promise<string> {
  return (await searchTools(indexes, own, { query, limit })).text;
}

/** The names that search_tools gives, best first. */
export async function namesFor(query: string, limit: number): Promise<string[]> {
  const { tools } = JSON.parse(await answerTo(query, limit)) as { tools: { name: string }[] };
  return tools.map(({ name }) => name);
}

/** The name on the merged endpoint, which may be shortened. */
export function shownName(name: string): string {
  const [server = '', ...rest] = name.split('__');
  return mergedName(server, rest.join('__'));
}

export async function figuresOf(some: readonly Question[]): Promise<Figures> {
  let first = 0;
  let firstFive = 0;
  let reciprocal = 0;
  for (const { question, tools } of some) {
    const right = new Set(tools.map(shownName));
    const place = (await namesFor(question, 25)).findIndex((name) => right.has(name));
    if (place === 0) first++;
    if (place >= 0 && place < 5) firstFive++;
    if (place >= 0) reciprocal += 1 / (place + 1);
  }
  return { questions: some.length, first, firstFive, meanReciprocalRank: reciprocal / some.length };
}
