// `toolgate …`: reads the command line, runs one command, answers with an exit code.
import { Command, CommanderError, Option } from 'commander';
import { addCommand } from './add.ts';
import { applyCommand } from './apply.ts';
import { auditExportCommand } from './audit-export.ts';
import { auditSearchCommand } from './audit-search.ts';
import { auditVerifyCommand } from './audit-verify.ts';
import { catalogSearchCommand } from './catalog-search.ts';
import { catalogShowCommand } from './catalog-show.ts';
import { credentialsExplainCommand } from './credentials-explain.ts';
import { credentialsImportCommand } from './credentials-import.ts';
import { credentialsListCommand } from './credentials-list.ts';
import { credentialsMissingCommand } from './credentials-missing.ts';
import { credentialsRemoveCommand } from './credentials-remove.ts';
import { credentialsSetCommand } from './credentials-set.ts';
import { doctorCommand } from './doctor.ts';
import { explainCommand } from './explain.ts';
import { keysListCommand } from './keys-list.ts';
import { keysRetireCommand } from './keys-retire.ts';
import { keysRotateCommand } from './keys-rotate.ts';
import { keysWrapCommand } from './keys-wrap.ts';
import { grantCommand } from './grant.ts';
import { importCommand } from './import.ts';
import { migrateCommand } from './migrate.ts';
import { openWebUiCommand } from './openwebui-install.ts';
import { personEraseCommand } from './person-erase.ts';
import { personExportCommand } from './person-export.ts';
import { pinsAcceptCommand } from './pins-accept.ts';
import { pinsListCommand } from './pins-list.ts';
import { runnerCommand } from './runner.ts';
import { serveCommand } from './serve.ts';
import { CallError, type Outcome, plain, type Terminal } from './terminal.ts';
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
    // It may quote a file or an answer; some have lines of their own.
    terminal.complain(error.message.split('\n').map(plain).join('\n'));
    return 1;
  }
}

function program(terminal: Terminal, outcome: Outcome): Command {
  const root = new Command('toolgate')
    .description('One gate between people, their AI chats and their tools.')
    .option('--url <url>', 'address of Toolgate (default: PUBLIC_URL, or this machine)')
    .option(
      '--token-file <file>',
      'file with the admin token, - for standard input (default: TOOLGATE_ADMIN_TOKEN, or the one in the data directory)',
    )
    .addOption(new Option('--token <token>').hideHelp())
    .option('--json', 'print JSON')
    .hook('preAction', (_root, command) => refuseToken(command));
  const token = new Command('token').description('API tokens and connection keys');
  for (const build of [tokenCreateCommand, tokenListCommand, tokenRevokeCommand])
    token.addCommand(build(terminal));
  const keys = new Command('keys').description('master keys that secrets are sealed under');
  for (const build of [keysListCommand, keysRotateCommand, keysRetireCommand, keysWrapCommand])
    keys.addCommand(build(terminal, outcome));
  const credentials = new Command('credentials').description(
    'keys of tool servers: whose they are, and which',
  );
  for (const build of [
    ...[credentialsListCommand, credentialsSetCommand, credentialsRemoveCommand, credentialsImportCommand],
    ...[credentialsMissingCommand, credentialsExplainCommand],
  ])
    credentials.addCommand(build(terminal));
  const pins = new Command('pins').description('definitions of tools: what changed, and accepting it');
  for (const build of [pinsListCommand, pinsAcceptCommand]) pins.addCommand(build(terminal));
  const audit = new Command('audit').description('records of changes and requests');
  for (const build of [auditVerifyCommand, auditSearchCommand, auditExportCommand])
    audit.addCommand(build(terminal, outcome));
  const person = new Command('person').description('what is stored of a person');
  for (const build of [personExportCommand, personEraseCommand]) person.addCommand(build(terminal));
  const catalog = new Command('catalog').description('servers that can be installed');
  for (const build of [catalogSearchCommand, catalogShowCommand]) catalog.addCommand(build(terminal));
  for (const build of [
    serveCommand,
    runnerCommand,
    migrateCommand,
    doctorCommand,
    openWebUiCommand,
    addCommand,
  ])
    root.addCommand(build(terminal, outcome));
  for (const build of [grantCommand, applyCommand, explainCommand, importCommand])
    root.addCommand(build(terminal));
  root.addCommand(token);
  root.addCommand(keys);
  root.addCommand(credentials);
  root.addCommand(pins);
  root.addCommand(catalog);
  root.addCommand(audit);
  root.addCommand(person);
  quietExit(root, terminal);
  return root;
}

function refuseToken(command: Command): void {
  if (command.optsWithGlobals<{ token?: string }>().token === undefined) return;
  command.error(
    'error: a token is not taken from the command line, where everybody on this machine can read it; use --token-file <file>, or - to type or pipe it in',
  );
}

/** Commander would end the process by itself; a caller must get the exit code instead. */
function quietExit(command: Command, terminal: Terminal): void {
  command.exitOverride().configureOutput({ writeOut: terminal.write, writeErr: terminal.writeError });
  for (const sub of command.commands) quietExit(sub, terminal);
}

if (import.meta.main) {
  const { processTerminal } = await import('./process-terminal.ts');
  process.exitCode = await run(process.argv.slice(2), processTerminal());
}
