import { Command } from 'commander';
import type { z } from 'zod';
import { api, type tokenView } from '../src/identity/contract.ts';
import { connect } from './call.ts';
import { table, type Terminal } from './terminal.ts';

type TokenView = z.infer<typeof tokenView>;

export function tokenListCommand(terminal: Terminal): Command {
  return new Command('list')
    .description('show tokens, newest first')
    .option('--user <email>', 'only those of one person')
    .action(async (options: { user?: string }, command: Command) => {
      const { call, json } = connect(command, terminal);
      const items: TokenView[] = [];
      let cursor: string | undefined;
      do {
        const page = await call(api.listTokens, { query: { ...options, limit: 200, cursor } });
        items.push(...page.items);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      if (json) return terminal.write(`${JSON.stringify({ items }, null, 2)}\n`);
      const heads = ['ID', 'NAME', 'FOR', 'TENANT', 'BEGINS', 'STATE', 'LAST USED'];
      terminal.write(table(heads, items.map(row), 'There are no tokens.'));
    });
}

function row(token: TokenView): string[] {
  const owner = token.user ?? `service:${token.service}`;
  return [
    token.id,
    token.name,
    owner,
    token.tenant ?? '-',
    token.prefix,
    stateOf(token),
    token.lastUsedAt ?? 'never',
  ];
}

function stateOf(token: TokenView): string {
  if (token.revokedAt !== null) return 'revoked';
  return token.expiresAt === null ? 'valid' : `until ${token.expiresAt}`;
}
