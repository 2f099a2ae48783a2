import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import type { z } from 'zod';
import { anchorsText, api, mostAnchors, verificationText } from '../src/audit/contract.ts';
import { type Call, connect } from './call.ts';
import { runServer } from './run-server.ts';
import { CallError, type Outcome, plain, type Terminal } from './terminal.ts';

/** A chain of many millions takes its time. */
const patienceMs = 3_600_000;

interface Options {
  anchors?: string;
  key?: string[];
  export?: string;
}

export function auditVerifyCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('verify')
    .description(
      'compute the chain of changes again; exit code 1 when a record was changed, removed or reordered',
    )
    .option('--anchors <file>', 'compare with heads of the chain that were kept elsewhere, one a line')
    .option('--key <key...>', 'public keys that anchors may be signed with, besides the one in force')
    .option('--export <file>', 'of the chain in this export: without Toolgate and its database')
    .action(async ({ anchors: file, key: keys = [], export: exported }: Options, command: Command) => {
      const { call, json } = connect(command, terminal);
      if (exported !== undefined) {
        const places = { file: path.resolve(exported), anchors: file && path.resolve(file) };
        const asked = JSON.stringify({ ...places, keys, json });
        outcome.code = await runServer(['verify-export', asked], terminal);
        return;
      }
      const { anchors, unreadable } = anchorsText.parse(file === undefined ? '' : readText(file));
      const found = await verify(call, anchors, keys);
      if (!found.ok || unreadable.length > 0) outcome.code = 1;
      if (json) return terminal.write(`${JSON.stringify({ ...found, unreadable }, null, 2)}\n`);
      const { said, complaints } = verificationText.parse({ ...found, unreadable });
      for (const complaint of complaints) terminal.complain(plain(complaint));
      terminal.write(said);
    });
}

/** One request holds the newest anchors, further ones the others. */
async function verify(call: Call, anchors: z.infer<typeof anchorsText>['anchors'], keys: string[]) {
  const ask = (some: typeof anchors, anchorsOnly: boolean) =>
    call(api.verifyAudit, { body: { anchors: some, keys, anchorsOnly }, timeoutMs: patienceMs });
  let found = await ask(anchors.slice(-mostAnchors), false);
  for (let end = anchors.length - mostAnchors; end > 0 && found.ok; end -= mostAnchors) {
    const { ok, problem } = await ask(anchors.slice(Math.max(0, end - mostAnchors), end), true);
    found = { ...found, ok, problem };
  }
  return { ...found, anchors: anchors.length };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CallError(`${file} cannot be read.`, { cause });
  }
}
