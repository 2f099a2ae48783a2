import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { masterKeysApi as api, type RotationProgress } from '../src/secrets/contract.ts';
import { type Call, connect } from './call.ts';
import { writeUnreadable } from './keys-list.ts';
import type { Outcome, Terminal } from './terminal.ts';

interface Options {
  to?: string;
  wait: boolean;
}

const lookEveryMs = 500;
/** Looks without any progress and without a process at it, before the command stops waiting: a minute. */
const patience = 120;

export function keysRotateCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('rotate')
    .description('put another master key in force and seal everything under it; can be run again')
    .option('--to <id>', 'a key that every process has (default: a new one, or the first that is configured)')
    .option('--no-wait', 'do not wait until everything is sealed anew')
    .action(async ({ to, wait }: Options, command: Command) => {
      const { call, json } = connect(command, terminal);
      const begun = await call(api.rotateMasterKey, { body: to === undefined ? {} : { to } });
      const made = begun.wasMade ? ' It was made now: keep a copy of the key file.' : '';
      terminal.writeError(`The master key ${begun.to} is in force.${made}\n`);
      const progress = wait ? await untilDone(call, begun) : begun;
      if (progress.failed > 0 || (wait && progress.remaining > 0)) outcome.code = 1;
      if (json) return terminal.write(`${JSON.stringify(progress, null, 2)}\n`);
      terminal.write(`${sentence(progress)}\n`);
      writeUnreadable(progress.failures, terminal);
    });
}

async function untilDone(call: Call, begun: RotationProgress): Promise<RotationProgress> {
  let progress = begun;
  for (let idle = 0; progress.remaining > 0 && idle < patience; idle++) {
    await sleep(lookEveryMs);
    const next = await call(api.masterKeyRotation);
    if (next.running || next.remaining !== progress.remaining) idle = 0;
    progress = next;
  }
  return progress;
}

function sentence({ to, total, done, remaining, failed }: RotationProgress): string {
  const all = `${done} of ${total} secrets are sealed under ${to}`;
  if (failed > 0) return `${all}; ${failed} cannot be opened and stay as they are.`;
  return remaining === 0 ? `${all}.` : `${all}; ${remaining} are left, and a process goes on with them.`;
}
