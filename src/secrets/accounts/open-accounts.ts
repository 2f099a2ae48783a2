import { LRUCache } from 'lru-cache';
import type { SecretBox } from '../sealing/secret-box.ts';
import type { AccountRow } from './accounts-store.ts';
import { type AccountSecret, bindingOf, openAccount } from './tokens.ts';

/** Opens accounts, and keeps what was opened for a short while: a busy one is opened once a minute, not once a call. */
export interface OpenAccounts {
  /** Throws `credential_unreadable`. */
  secretOf(row: AccountRow): AccountSecret;
  clear(): void;
}

const most = 5_000;
const keptMs = 60_000;

export function createOpenAccounts(box: SecretBox): OpenAccounts {
  const opened = new LRUCache<string, { row: AccountRow; secret: AccountSecret }>({ max: most, ttl: keptMs });
  return {
    secretOf(row) {
      const known = opened.get(row.id);
      if (known?.row === row) return known.secret;
      const secret = openAccount(box, row, row.sealed);
      if (
        secret.issuer !== row.issuer ||
        secret.resource !== row.resource ||
        secret.client.id !== row.clientId
      ) {
        const why = 'was changed in the database; its owner has to connect it again';
        throw box.refuse(row.sealed, bindingOf(row), why);
      }
      opened.set(row.id, { row, secret });
      return secret;
    },
    clear: () => opened.clear(),
  };
}
