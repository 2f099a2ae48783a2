import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { z } from 'zod';
import { anchorPoint, api } from '../src/audit/contract.ts';
import { connect } from './call.ts';
import { CallError, type Outcome, plain, type Terminal } from './terminal.ts';

/** A chain of many millions takes its time. */
const patienceMs = 3_600_000;

export function auditVerifyCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('verify')
    .description(
      'compute the chain of changes again; exit code 1 when a record was changed, removed or reordered',
    )
    .option('--anchors <file>', 'compare with heads of the chain that were kept elsewhere, one a line')
    .action(async (options: { anchors?: string }, command: Command) => {
      const { call, json } = connect(command, terminal);
      const anchors = options.anchors === undefined ? [] : readAnchors(options.anchors);
      const found = await call(api.verifyAudit, { body: { anchors }, timeoutMs: patienceMs });
      if (!found.ok) outcome.code = 1;
      if (json) return terminal.write(`${JSON.stringify(found, null, 2)}\n`);
      if (found.problem) terminal.complain(plain(found.problem.message));
      const erased = found.erased === 0 ? '' : `, of ${found.erased} of them something was erased`;
      terminal.write(`${found.records} records are in order${erased}.\n`);
      if (found.head) terminal.write(`Place ${found.head.seq} has the hash ${found.head.hash}.\n`);
      if (anchors.length > 0 && found.ok) terminal.write(`${anchors.length} anchors agree.\n`);
    });
}

function readAnchors(file: string): z.infer<typeof anchorPoint>[] {
  try {
    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '');
    return lines.map((line) => anchorPoint.parse(JSON.parse(line)));
  } catch (cause) {
    throw new CallError(`${file} cannot be read, or has lines that are no anchors.`, { cause });
  }
}
