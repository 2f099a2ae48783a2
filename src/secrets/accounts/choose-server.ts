import { AppError } from '../../platform/errors.ts';
import type { AccountServer } from './accounts.ts';
import type { Clients } from './clients/clients.ts';
import type { ChosenClient } from './clients/gate-client.ts';
import type { Discovered, Discovery } from './protocol/discovery.ts';

/** What keeps the gate from signing people in at one authorization server, and says nothing of the others. */
const passedOver = new Set([
  'account_server_away',
  'account_server_unsafe',
  'account_client_needed',
  'account_client_elsewhere',
]);

export interface Choice {
  readonly server: AccountServer;
  readonly tenant: string | null;
  readonly before: string | undefined;
}

/**
 * The first authorization server of those that a server names (RFC 9728 7.6 leaves the choice to the client) where
 * people can sign in, and as whom; `before`, where the person has signed in already, comes first. A client that
 * belongs to one of them is shown to no other, and the definition's becomes that of the first and of no other. Rejects
 * with what was wrong with the first that was tried.
 */
export async function chooseServer(
  { discovery, clients }: { readonly discovery: Discovery; readonly clients: Clients },
  { server, tenant, before }: Choice,
): Promise<{ readonly found: Discovered; readonly client: ChosenClient }> {
  const { issuers, trustedOrigin, ...facts } = await discovery.signposts(server);
  let first: unknown;
  for (const issuer of inOrder(issuers, before)) {
    try {
      const at = await discovery.ofIssuer(issuer, trustedOrigin);
      const client = await clients.choose({ server, tenant, at, isFirst: issuer === issuers[0] });
      return { found: { ...facts, server: at }, client };
    } catch (error) {
      if (!(error instanceof AppError) || !passedOver.has(error.code)) throw error;
      first ??= error;
    }
  }
  throw first;
}

function inOrder(issuers: readonly string[], before: string | undefined): readonly string[] {
  const isSame = (issuer: string) =>
    before !== undefined && URL.parse(issuer)?.href === URL.parse(before)?.href;
  return [...issuers.filter(isSame), ...issuers.filter((issuer) => !isSame(issuer))];
}
