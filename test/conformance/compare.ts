import type { Check, SuiteRun } from './suite.ts';

export interface Comparison {
  readonly table: string;
  /** Scenarios whose checks ended differently -> what differs. Empty: the gate changes nothing. */
  readonly differences: ReadonlyMap<string, readonly string[]>;
}

/** Sets two runs of the same scenarios side by side. */
export function compareRuns(direct: SuiteRun, gate: SuiteRun): Comparison {
  const names = [...new Set([...direct.scenarios.keys(), ...gate.scenarios.keys()])];
  const differences = new Map<string, readonly string[]>();
  const rows = names.map((name) => {
    const [before, after] = [direct.scenarios.get(name), gate.scenarios.get(name)];
    const differs = difference(before ?? [], after ?? []);
    if (differs.length > 0) differences.set(name, differs);
    return [name, tally(before), tally(after), differs.length > 0 ? 'DIFFERENT' : ''];
  });
  const total = ['total', totalOf(direct), totalOf(gate), ''];
  return { table: layOut([['scenario', 'direct', 'through the gate', ''], ...rows, total]), differences };
}

/** Checks of all scenarios, as `tally` counts them. */
export function totalOf(run: SuiteRun): string {
  return tally([...run.scenarios.values()].flat());
}

/** `passed/failed`, and warnings if there are any. */
export function tally(checks: readonly Check[] | undefined): string {
  if (checks === undefined) return 'not run';
  const count = (status: string) => checks.filter((check) => check.status === status).length;
  const warnings = count('WARNING');
  return `${count('SUCCESS')}/${count('FAILURE')}${warnings > 0 ? ` (${warnings} warnings)` : ''}`;
}

export function layOut(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * Checks that ended in one run as they did not in the other. A check id may occur several times, so
 * occurrences are paired off; INFO lines only tell what was seen.
 */
function difference(before: readonly Check[], after: readonly Check[]): string[] {
  const left = before.filter((check) => check.status !== 'INFO');
  const extra: string[] = [];
  for (const check of after.filter((one) => one.status !== 'INFO')) {
    const at = left.findIndex((other) => other.id === check.id && other.status === check.status);
    if (at >= 0) left.splice(at, 1);
    else extra.push(describe('gate', check));
  }
  return [...left.map((check) => describe('direct', check)), ...extra];
}

function describe(where: string, { id, status, errorMessage }: Check): string {
  return `${where}: ${status} ${id}${errorMessage === undefined ? '' : `: ${errorMessage.slice(0, 500)}`}`;
}
