import type { Closing } from '../platform/closing.ts';
import { createAccounts, createExchanges } from '../secrets/index.ts';

type AccountsOptions = Parameters<typeof createAccounts>[0];

/** People's accounts at servers, and what is exchanged for them. */
export async function openAccounts(o: AccountsOptions & { readonly closing: Closing }) {
  const accounts = o.closing.keep('accounts', await createAccounts(o), 10_000);
  const exchanges = o.closing.keep('token exchanges', await createExchanges({ ...o, db: o.database.db }));
  return { accounts, exchanges };
}
