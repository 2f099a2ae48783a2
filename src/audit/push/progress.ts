import { z } from 'zod';
import type { Db } from '../../platform/db/index.ts';
import type { PushTarget } from '../contract.ts';
import { stateOf } from '../jobs/jobs-store.ts';

export const noId = '00000000-0000-0000-0000-000000000000';

/** How far a target has come: changes by their place in the chain, requests by when they were stored. */
export const progress = z
  .object({ seq: z.number(), storedAt: z.string().nullable(), id: z.string() })
  .catch({ seq: 0, storedAt: null, id: noId });
export type Progress = z.infer<typeof progress>;

export function pushName(target: Pick<PushTarget, 'name'>): string {
  return `push ${target.name}`;
}

/** How far a target has come with records of requests. */
export interface Place {
  readonly target: string;
  readonly refusedOnly: boolean;
  readonly storedAt: string;
  readonly id: string;
}

/** The places of those that get records of requests; without those that have not begun. */
export async function placesOf(db: Db, targets: readonly PushTarget[]): Promise<Place[]> {
  const places: Place[] = [];
  for (const target of targets.filter(({ calls }) => calls !== 'none')) {
    const { storedAt, id } = progress.parse(await stateOf(db, pushName(target)));
    if (storedAt === null) continue;
    places.push({ target: target.name, refusedOnly: target.calls === 'refused', storedAt, id });
  }
  return places;
}
