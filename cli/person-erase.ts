import { Command } from 'commander';
import { api } from '../src/audit/contract.ts';
import { connect } from './call.ts';
import { CallError, plain, table, type Terminal } from './terminal.ts';

/** Of a person with many requests, each record is written anew. */
const patienceMs = 3_600_000;

export function personEraseCommand(terminal: Terminal): Command {
  return new Command('erase')
    .description('delete a person’s account and keys, and put a pseudonym into the records; cannot be undone')
    .argument('<email>')
    .option('--yes', 'do not ask')
    .action(async (email: string, options: { yes?: true }, command: Command) => {
      const { call, json } = connect(command, terminal);
      if (!options.yes) await confirm(terminal, email);
      const erased = await call(api.erasePerson, { params: { email }, timeoutMs: patienceMs });
      if (json) return terminal.write(`${JSON.stringify(erased, null, 2)}\n`);
      if (erased.pseudonym === null) terminal.write(`Nothing is stored of ${plain(email)}.\n`);
      else {
        const rows = Object.entries(erased.tables).map(([name, count]) => [name, String(count)]);
        terminal.write(`${plain(email)} is ${erased.pseudonym} in the records.\n`);
        terminal.write(table(['TABLE', 'ROWS'], rows, ''));
      }
      for (const place of erased.remains)
        terminal.writeError(`Still named in ${plain(place)}: take it out there.\n`);
    });
}

async function confirm({ input }: Terminal, email: string): Promise<void> {
  if (!input?.isPerson) throw new CallError('Nobody can be asked here: say --yes to erase.');
  const answer = await input.ask(`This cannot be undone. Type ${plain(email)} to go on: `);
  if (answer.trim() !== email) throw new CallError('Nothing was erased.');
}
