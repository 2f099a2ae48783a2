// Which key of a server somebody's call would use, and why, in words for administrators.
import type { z } from 'zod';
import { filledFor, type SnapshotServer } from '../access/index.ts';
import type { FoundCredential, Rung } from '../secrets/index.ts';
import type { Gate, Reaching } from './call.ts';
import type { credentialRung, credentialsUsed } from './contract.ts';
import { type AsWhom, reachingAs, serverAsked } from './reach-as.ts';
import { notFilled } from './refusals.ts';
import { credentialFor, questionFor } from './steps/attach-credentials.ts';
import { neededCredentials } from './upstreams/target.ts';

type Answer = z.input<typeof credentialsUsed>;
type ShownRung = z.input<typeof credentialRung>;

/** Throws AppError where a server, a tenant or a user is not there, or the user could not act for the tenant. */
export function explainCredentials(gate: Gate, id: string, whom: AsWhom): Answer {
  const server = serverAsked(gate, id, { mayBeDisabled: true });
  const reaching = reachingAs(gate, whom);
  const tenant = reaching.tenant?.id ?? null;
  const base = { server: id, user: whom.user ?? null, tenant };
  const filled = filledFor(reaching.snapshot, server, reaching.tenant);
  if (!filled.ok)
    return { ...base, elsewhere: false, names: [], problem: notFilled(id, reaching.tenant, filled).message };
  const names = neededCredentials(server, filled).map((name) => {
    const used = credentialFor(reaching, gate, { server, filled, name });
    const rungs = ladderOf(reaching, gate, { server, name, elsewhere: filled.elsewhere });
    return { name, ...about(used, rungs, tenant) };
  });
  return { ...base, elsewhere: filled.elsewhere, names, problem: null };
}

function ladderOf(
  reaching: Reaching,
  gate: Gate,
  at: { readonly server: SnapshotServer; readonly name: string; readonly elsewhere: boolean },
): readonly Rung[] {
  const question = questionFor(reaching, { ...at, server: at.server.id });
  const all = reaching.rights?.groups ?? [];
  return gate.vault.ladder(
    question,
    all.filter((group) => !question.groups.includes(group)),
  );
}

function about(used: FoundCredential | null, rungs: readonly Rung[], tenant: string | null) {
  const stored = rungs.find(({ id }) => id === used?.id);
  const ladder = rungs.map((rung): ShownRung => {
    const verdict = rung.verdict === 'used' && rung !== stored ? 'beaten' : rung.verdict;
    return { ...rung, verdict, why: whyOf({ ...rung, verdict }, tenant) };
  });
  if (stored) return { used: shown(stored), reason: `${sentence(stored)}.`, ladder };
  if (used) {
    const { id, owner: level, ownerId: owner } = used;
    const account = { kind: 'account' as const, level, owner, tenant, id, lastFour: '' };
    return { used: account, reason: `The account that ${owner ?? 'the caller'} connected.`, ladder };
  }
  const isStored = rungs.some(({ verdict }) => verdict === 'used');
  const reason = isStored
    ? 'None: the account has to be connected again, and no key takes its place.'
    : 'None: nothing is set that may be used here, so calls are refused and nothing is sent.';
  return { used: null, reason, ladder };
}

function shown({ level, owner, tenant, id, lastFour }: Rung) {
  return { kind: 'key' as const, level, owner, tenant, id, lastFour };
}

function sentence({ level, owner, tenant, lastFour }: Rung): string {
  const whose = {
    user: `The key of ${owner}${tenant === null ? '' : ` for the tenant ${tenant}`}`,
    group: `The key of the group ${owner}${tenant === null ? '' : `, which belongs to the tenant ${tenant}`}`,
    tenant: `The key of the tenant ${owner}`,
    shared: 'The shared key',
  }[level];
  return lastFour === '' ? whose : `${whose} (it ends in ${lastFour})`;
}

function whyOf(rung: Rung, tenant: string | null): string {
  const active = tenant === null ? 'no tenant is active' : `${tenant} is the active one`;
  const because = {
    used: 'is used: nothing more specific is set',
    beaten: 'is not used: something more specific is set',
    other_tenant: `is not used: it is for the tenant ${rung.tenant}, and ${active}`,
    group_of_other_tenant: `is not used: the group belongs to another tenant, and ${active}`,
    elsewhere: `is not used: it belongs to no tenant, and ${tenant} decides where this server is`,
  }[rung.verdict];
  return `${sentence(rung)} ${because}.`;
}
