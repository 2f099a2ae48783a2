/** How specific a credential is; the most specific one that applies wins, in this order. */
export const levels = ['user', 'group', 'tenant', 'shared'] as const;
export type Level = (typeof levels)[number];

/** Whose it is: the e-mail or `service:<name>` of a user, the name of a group, the id of a tenant; null when shared. */
export interface Owner {
  readonly level: Level;
  readonly id: string | null;
}

/** What a sealed secret belongs to; it opens for nothing else. */
export interface Binding {
  /** The data boundary: it is used only while this tenant is active. Null: it belongs to no tenant. */
  readonly tenant: string | null;
  readonly owner: Owner;
  readonly server: string;
  readonly name: string;
}

export const sharedOwner: Owner = { level: 'shared', id: null };

export function tenantOwner(tenant: string): Owner {
  return { level: 'tenant', id: tenant };
}

export function groupOwner(group: string): Owner {
  return { level: 'group', id: group };
}

export function userOwner(user: string): Owner {
  return { level: 'user', id: user };
}
