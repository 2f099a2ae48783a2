/** What goes over the pipe between a primary and a worker. */
export type Wire =
  | { readonly kind: 'question'; readonly id: number; readonly topic: string; readonly value: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly ok: boolean; readonly value: unknown };

/** Node sends messages of its own on the same pipe. */
export function isWire(value: unknown): value is Wire {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('id' in value)) return false;
  return (value.kind === 'question' || value.kind === 'answer') && typeof value.id === 'number';
}
