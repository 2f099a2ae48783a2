import type { Clock } from '../platform/clock.ts';
import { type Actor, type Route, route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { writeAudit } from '../audit/index.ts';
import { api } from './contract.ts';
import { expiryInPast, tokenNotFound } from './errors.ts';
import { insertToken, listTokens, revokeToken, type TokenInput } from './tokens-store.ts';

interface Deps {
  readonly db: Db;
  readonly clock: Clock;
  /** Called after each change, so that it counts here before the answer is out. */
  readonly changed: () => Promise<void>;
}

/** `/tokens` of the admin API. */
export function identityRoutes(deps: Deps): Route[] {
  const { db } = deps;
  return [
    route(api.listTokens, ({ query }) => listTokens(db, query)),
    route(api.createToken, async ({ body, actor }) => {
      if (body.expiresAt !== null && Date.parse(body.expiresAt) <= deps.clock()) throw expiryInPast();
      const made = await createToken(db, body, actor);
      await deps.changed();
      return made;
    }),
    route(api.revokeToken, async ({ params, actor }) => {
      await endToken(db, params.id, actor);
      await deps.changed();
      return undefined;
    }),
  ];
}

/** Who does it: an administrator's request, or a part of the program that has an id only. */
type Author = Pick<Actor, 'id'> & Partial<Actor>;

/** Makes a token; its text is in the answer and nowhere else. Throws `user_not_found` and `tenant_not_found` (404). */
export function createToken(db: Db, input: TokenInput, by: Author): Promise<{ id: string; token: string }> {
  return db.transaction().execute(async (trx) => {
    const made = await insertToken(trx, input, by.id);
    await writeAudit(trx, {
      ...entry(by),
      action: 'token.create',
      targetId: made.id,
      tenant: input.tenant,
      after: input,
    });
    return made;
  });
}

function endToken(db: Db, id: string, by: Author): Promise<void> {
  return db.transaction().execute(async (trx) => {
    const found = await revokeToken(trx, id);
    if (found === undefined) throw tokenNotFound();
    if (!found.revoked) return;
    await writeAudit(trx, {
      ...entry(by),
      action: 'token.revoke',
      targetId: id,
      before: { name: found.name },
    });
  });
}

function entry({ id, requestId, clientIp }: Author) {
  return { actor: id, targetKind: 'token', requestId: requestId ?? null, clientIp: clientIp ?? null };
}
