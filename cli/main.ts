// `toolgate …`: reads the command line, runs one command, answers with an exit code.
import { Command, CommanderError } from 'commander';
import { applyCommand } from './apply.ts';
import { CallError } from './call.ts';
import { doctorCommand } from './doctor.ts';
import { explainCommand } from './explain.ts';
import { importCommand } from './import.ts';
import { migrateCommand } from './migrate.ts';
import { openWebUiCommand } from './openwebui-install.ts';
import { pinsAcceptCommand } from './pins-accept.ts';
import { pinsListCommand } from './pins-list.ts';
import { serveCommand } from './serve.ts';
import type { Outcome, Terminal } from './terminal.ts';
import { tokenCreateCommand } from './token-create.ts';
import { tokenListCommand } from './token-list.ts';
import { tokenRevokeCommand } from './token-revoke.ts';

/** Runs one command line (without the program's name). Exit code: 0 done, 1 failed, 2 used wrongly. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const outcome = { code: 0 };
  try {
    await program(terminal, outcome).parseAsync(args, { from: 'user' });
    return outcome.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof CallError)) throw error;
    terminal.complain(error.message);
    return 1;
  }
}

function program(terminal: Terminal, outcome: Outcome): Command {
  const root = new Command('toolgate')
    .description('One gate between people, their AI chats and their tools.')
    .option('--url <url>', 'address of Toolgate (default: PUBLIC_URL, or this machine)')
    .option(
      '--token <token>',
      'admin token (default: TOOLGATE_ADMIN_TOKEN, or the one in the data directory)',
    )
    .option('--json', 'print JSON');
  const token = new Command('token').description('API tokens and connection keys');
  for (const build of [tokenCreateCommand, tokenListCommand, tokenRevokeCommand])
    token.addCommand(build(terminal));
  const pins = new Command('pins').description('definitions of tools: what changed, and accepting it');
  for (const build of [pinsListCommand, pinsAcceptCommand]) pins.addCommand(build(terminal));
  for (const build of [serveCommand, migrateCommand, doctorCommand, openWebUiCommand])
    root.addCommand(build(terminal, outcome));
  for (const build of [applyCommand, explainCommand, importCommand]) root.addCommand(build(terminal));
  root.addCommand(token);
  root.addCommand(pins);
  quietExit(root, terminal);
  return root;
}

/** Commander would end the process by itself; a caller must get the exit code instead. */
function quietExit(command: Command, terminal: Terminal): void {
  command.exitOverride().configureOutput({ writeOut: terminal.write, writeErr: terminal.writeError });
  for (const sub of command.commands) quietExit(sub, terminal);
}

if (import.meta.main) {
  const { processTerminal } = await import('./terminal.ts');
  process.exitCode = await run(process.argv.slice(2), processTerminal());
}
