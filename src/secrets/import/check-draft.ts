import { type Binding, groupOwner, sharedOwner, tenantOwner, userOwner } from '../binding.ts';
import { warningsOf } from '../keys/change-key.ts';
import { credentialName, keyValue } from '../contract.ts';
import type { Needs } from '../needs.ts';
import { type Draft, type Dropped, levelOf } from './drafts.ts';
import type { World } from './import-store.ts';

/** A row that can be stored. */
export interface Planned {
  readonly line: number;
  readonly binding: Binding;
  readonly value: string;
  /** What may be a mistake, or is to be done besides. */
  readonly message: string | null;
}

export interface Around {
  readonly world: World;
  readonly needs: Needs;
  /** Every row must be for this tenant. */
  readonly only: string | undefined;
  /** Places that rows before have set, and their lines; this one adds its own. */
  readonly taken: Map<string, number>;
}

/**
 * What a row comes to. Its mistakes are told by the name of the column and by what there is, never by what stands in it:
 * a column too few, and the secret is where a name belongs.
 */
export function check(draft: Draft, around: Around): Planned | Dropped {
  const { line, value, server, name } = draft;
  const owned = ownerOf(draft, around);
  if (typeof owned === 'string') return wrong(line, owned);
  const mistake = mistakeIn(draft, around.needs);
  if (mistake !== undefined) return wrong(line, mistake);
  const binding = { ...owned, server, name };
  const place = JSON.stringify([owned.tenant, owned.owner, server, name]);
  const before = around.taken.get(place);
  if (before !== undefined) return wrong(line, `sets the same key as line ${before}; leave one of them out`);
  around.taken.set(place, line);
  const notes = [...(draft.note === null ? [] : [draft.note]), ...warningsOf(around.needs, binding, value)];
  return { line, binding, value, message: notes.length === 0 ? null : notes.join(' ') };
}

type Owned = Pick<Binding, 'tenant' | 'owner'>;

/** Whose the key is, or what is wrong with that. */
function ownerOf(draft: Draft, { world, only }: Around): Owned | string {
  const level = levelOf(draft, only);
  if (level === undefined) return 'has no level; it must be user, group, tenant or shared';
  const { owner } = draft;
  const tenant = draft.tenant || (level === 'shared' ? '' : (only ?? ''));
  if (tenant !== '' && !world.tenants.has(tenant)) return noTenant;
  const found = ofLevel[level]({ owner, tenant }, world);
  if (typeof found === 'string' || only === undefined || found.tenant === only) return found;
  return `is not for the tenant ${only}, for which everything here is`;
}

const noTenant = 'names a tenant that there is not';

interface Named {
  readonly owner: string;
  readonly tenant: string;
}

const ofLevel: Readonly<Record<Binding['owner']['level'], (named: Named, world: World) => Owned | string>> = {
  shared({ owner, tenant }) {
    if (owner !== '' || tenant !== '') return 'is shared and names an owner or a tenant; leave both empty';
    return { tenant: null, owner: sharedOwner };
  },
  tenant({ owner, tenant }, { tenants }) {
    const id = owner || tenant;
    if (id === '') return 'is of the level tenant and names none; write its id into the column owner';
    if (tenant !== '' && owner !== '' && owner !== tenant)
      return 'names two tenants, in the columns owner and tenant; leave one of them empty';
    if (!tenants.has(id)) return noTenant;
    return { tenant: id, owner: tenantOwner(id) };
  },
  group({ owner, tenant }, { groups }) {
    const own = groups.get(owner);
    if (own === undefined) return 'is of the level group, and its owner is no group that there is';
    if (tenant !== '' && tenant !== own)
      return own === null
        ? 'names a tenant, and its group belongs to none; leave the column tenant empty'
        : `names another tenant than ${own}, to which its group belongs`;
    return { tenant: own, owner: groupOwner(owner) };
  },
  user({ owner, tenant }, { users }) {
    const email = owner.toLowerCase();
    if (!users.has(email) || email.startsWith('*@'))
      return 'is of the level user, and its owner is no user that there is; add the user first';
    return { tenant: tenant === '' ? null : tenant, owner: userOwner(email) };
  },
};

function mistakeIn({ server, name, value }: Draft, needs: Needs): string | undefined {
  if (needs.namesOf(server) === undefined) return 'has a server that there is not, in the column server';
  if (!credentialName.safeParse(name).success)
    return 'has a name that no key can have: 1 to 64 characters of A-Z, a-z, 0-9, "_", "." and "-"';
  if (value === '') return 'has no value';
  if (/^\d(?:[.,]\d+)?E[+-]\d+$/i.test(value))
    return 'has a long number as its value that a spreadsheet has rounded; format that column as text, and enter it again';
  const isSendable = keyValue.safeParse(value).success && !value.includes('\0') && value.isWellFormed();
  return isSendable ? undefined : 'has a value that is too long, or holds characters that cannot be sent';
}

function wrong(line: number, message: string): Dropped {
  return { line, action: 'error', message };
}
