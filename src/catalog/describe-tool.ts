import type { ToolDefinition } from './contract.ts';
import { flagsOf } from './flags.ts';

export interface DescribedTool {
  /** Its name as people are shown it, which a hostile one may have made unreadable. */
  readonly tool: string;
  readonly definition: ToolDefinition;
  readonly flags: readonly string[];
}

const longestText = 16_000;
const longestName = 200;

/** What people read of a tool before they accept it. `raw` is the tool as its server wrote it. Never throws. */
export function describeTool(name: string, raw: string): DescribedTool {
  const tool = parsed(raw);
  return {
    tool: cut(name, longestName),
    definition: {
      title: textOf(tool['title']),
      description: textOf(tool['description']),
      inputSchema: textOf(tool['inputSchema']),
      outputSchema: textOf(tool['outputSchema']),
      annotations: textOf(tool['annotations']),
    },
    flags: flagsOf(tool),
  };
}

/** The same without the texts, for tools beyond what is kept of one server. */
export function nameOnly(name: string): DescribedTool {
  const definition = {
    title: null,
    description: '(not kept: this server has too many or too long definitions)',
    inputSchema: null,
    outputSchema: null,
    annotations: null,
  };
  return { tool: cut(name, longestName), definition, flags: [] };
}

/** Characters of all its texts. */
export function sizeOf({ definition }: DescribedTool): number {
  return Object.values(definition).reduce((sum, text) => sum + (text?.length ?? 0), 0);
}

function parsed(raw: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(raw); // it was a part of JSON that was parsed before
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return cut(typeof value === 'string' ? value : printed(value), longestText);
}

/** Keys in order, so that a comparison shows what changed and not what moved. */
function printed(value: unknown): string {
  try {
    return JSON.stringify(sorted(value), null, 2);
  } catch {
    // Nested deeper than the stack: nobody could read it either.
    return '(nested too deep to show)';
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([key, inside]) => [key, sorted(inside)]));
}

/** PostgreSQL takes neither NUL nor half a character. */
function cut(text: string, longest: number): string {
  const kept =
    text.length > longest ? `${text.slice(0, longest)}… (${text.length - longest} more characters)` : text;
  return kept.toWellFormed().replaceAll('\u0000', '\ufffd');
}
