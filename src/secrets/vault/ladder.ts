import { type Level, levels } from '../binding.ts';
import type { CredentialQuestion } from '../credential.ts';
import type { CredentialIndex } from './credential-index.ts';
import type { SealedCredential } from './sealed-credential.ts';

/** Why a credential is not the one that is used. */
export type Verdict =
  | 'used'
  /** It would be, if there were none that is more specific. */
  | 'beaten'
  /** It belongs to another tenant than the active one. */
  | 'other_tenant'
  /** The group that it belongs to is of another tenant. */
  | 'group_of_other_tenant'
  /** It belongs to no tenant, and the active one has the server at an address of its own. */
  | 'elsewhere';

/** One stored credential that could be meant. Nothing of it but its last four characters. */
export interface Rung {
  readonly level: Level;
  /** The user, group or tenant; null for a shared one. */
  readonly owner: string | null;
  readonly tenant: string | null;
  readonly id: string;
  readonly lastFour: string;
  readonly verdict: Verdict;
}

/** What is there for a question, most specific first, and why `find` gives what it gives. */
export function ladder(
  index: CredentialIndex,
  q: CredentialQuestion,
  strangers: readonly string[],
): readonly Rung[] {
  const used = index.find(q);
  return levels.flatMap((level) => {
    const held = ownersAt(level, q, strangers).flatMap((owner) => [...index.at(level, q, owner)]);
    const rungs = held.map((credential) => rungOf(credential, q, { used, strangers }));
    // Within a level the order in which they would be taken.
    return rungs.sort((a, b) => rank(a, q) - rank(b, q));
  });
}

function ownersAt(
  level: Level,
  { user, tenant, groups }: CredentialQuestion,
  strangers: readonly string[],
): readonly (string | null | undefined)[] {
  if (level === 'user') return [user];
  if (level === 'group') return [...groups, ...strangers];
  return level === 'tenant' ? [tenant] : [undefined];
}

function rungOf(
  credential: SealedCredential,
  q: CredentialQuestion,
  { used, strangers }: { used: SealedCredential | null; strangers: readonly string[] },
): Rung {
  const { owner: level, ownerId: owner, tenant, id, lastFour } = credential;
  const verdict = credential === used ? 'used' : (obstacle(credential, q, strangers) ?? 'beaten');
  return { level, owner, tenant, id, lastFour, verdict };
}

function obstacle(
  { owner, ownerId, tenant }: SealedCredential,
  q: CredentialQuestion,
  strangers: readonly string[],
): Verdict | undefined {
  if (owner === 'group' && strangers.includes(ownerId ?? '')) return 'group_of_other_tenant';
  if (tenant !== null && tenant !== q.tenant) return 'other_tenant';
  const isPersonal = owner === 'user' || owner === 'group';
  return isPersonal && tenant === null && q.elsewhere ? 'elsewhere' : undefined;
}

/** `sort` keeps what is equal in order, and groups come by name. */
function rank({ verdict, tenant }: Rung, q: CredentialQuestion): number {
  if (verdict !== 'used' && verdict !== 'beaten') return 2;
  return tenant !== null && tenant === q.tenant ? 0 : 1;
}
