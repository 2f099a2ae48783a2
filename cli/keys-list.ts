import { Command } from 'commander';
import { masterKeysApi as api, type UnreadableSecret } from '../src/secrets/contract.ts';
import { connect } from './call.ts';
import { plain, table, type Terminal } from './terminal.ts';

export function keysListCommand(terminal: Terminal): Command {
  return new Command('list')
    .description('list the master keys, and which secrets cannot be opened')
    .action(async (_options: unknown, command: Command) => {
      const { call, json } = connect(command, terminal);
      const answer = await call(api.listMasterKeys);
      if (json) return terminal.write(`${JSON.stringify(answer, null, 2)}\n`);
      const rows = answer.items.map(({ id, inForce, held, source, secrets, firstUsedAt, retiredAt }) => [
        ...[id, stateOf({ inForce, held, retiredAt }), source ?? '-', String(secrets), firstUsedAt ?? '-'],
      ]);
      terminal.write(
        table(['KEY', 'STATE', 'FROM', 'SECRETS', 'FIRST USED'], rows, 'There are no master keys.'),
      );
      if (answer.problem !== null) terminal.writeError(`${plain(answer.problem)}\n`);
      writeUnreadable(answer.unreadable.items, terminal);
    });
}

/** Whose secrets cannot be opened, and why. */
export function writeUnreadable(items: readonly UnreadableSecret[], terminal: Terminal): void {
  if (items.length === 0) return;
  const rows = items.map(({ server, name, level, owner, tenant, reason, keyId }) => [
    ...[server, name, owner === null ? level : `${level} ${owner}`, tenant ?? '', reason, keyId ?? ''],
  ]);
  terminal.write(table(['SERVER', 'NAME', 'OF', 'TENANT', 'CANNOT BE OPENED: IT', 'KEY'], rows, ''));
}

function stateOf(key: { inForce: boolean; held: boolean; retiredAt: string | null }): string {
  if (key.retiredAt !== null) return key.held ? 'retired; take it out' : 'retired';
  if (!key.held) return key.inForce ? 'in force, not here' : 'not here';
  return key.inForce ? 'in force' : 'here';
}
