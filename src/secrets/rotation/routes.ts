import { type Route, route } from '../../platform/contract.ts';
import { masterKeysApi as api, type MasterKeysView } from '../contract.ts';
import { usableIds } from './followed-keys.ts';
import { retire } from './retirement.ts';
import { currentId, mostNamed, progressOf, rotate, type RotationDeps, unreadable } from './rotation.ts';
import { countSealed, textsWithout } from './sealed-store.ts';

/** Master keys: which there are, another one, and giving one up. */
export function masterKeyRoutes(deps: RotationDeps): Route[] {
  return [
    route(api.listMasterKeys, () => view(deps)),
    route(api.rotateMasterKey, async ({ body, actor }) => {
      const { wasMade } = await rotate(deps, body.to, actor);
      return { ...(await progressOf(deps)), wasMade };
    }),
    route(api.masterKeyRotation, () => progressOf(deps)),
    route(api.retireMasterKey, ({ params, body, actor }) => {
      const { deleteSecrets, confirm } = body;
      return retire(deps, { id: params.id, deleteSecrets, confirm }, actor);
    }),
  ];
}

async function view({ db, keys }: RotationDeps): Promise<MasterKeysView> {
  const counts = await countSealed(db);
  const secretsOf = (id: string) =>
    counts.filter(({ keyId }) => keyId === id).reduce((sum, { count }) => sum + count, 0);
  const rows = new Map(keys.rows().map((row) => [row.id, row]));
  const held = new Map(keys.ring.held().map((one) => [one.key.id, one]));
  const ids = new Set([...held.keys(), ...rows.keys(), ...counts.flatMap(({ keyId }) => keyId ?? [])]);
  const texts = await textsWithout(db, usableIds(keys.ring, keys.rows()), mostNamed);
  return {
    source: keys.ring.kind,
    inForce: currentId(keys),
    items: [...ids].map((id) => ({
      id,
      held: held.has(id),
      source: held.get(id)?.source ?? null,
      inForce: rows.get(id)?.isCurrent ?? false,
      secrets: secretsOf(id),
      firstUsedAt: rows.get(id)?.firstUsedAt.toISOString() ?? null,
      retiredAt: rows.get(id)?.retiredAt?.toISOString() ?? null,
    })),
    problem: keys.problem()?.meaning ?? null,
    unreadable: { count: keys.unreadable(), items: texts.map((text) => unreadable(text)) },
  };
}
