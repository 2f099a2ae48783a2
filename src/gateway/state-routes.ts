import { type Page, type Route, route } from '../platform/contract.ts';
import { AppError } from '../platform/errors.ts';
import type { Gate } from './call.ts';
import { api } from './contract.ts';
import { cursorOf, type ServerState, serverStates } from './server-states.ts';

/** How the servers are doing, as the process sees it that answers. */
export function stateRoutes(gate: Gate): Route[] {
  const states = () => serverStates(gate.pool.states());
  return [
    route(api.listServerStates, async ({ query }) => pageOf(states(), query)),
    route(api.getServerState, async ({ params: { id } }) => {
      if (!gate.snapshot().servers.has(id))
        throw new AppError('server_not_found', 404, `There is no server "${id}".`);
      return { items: states().filter(({ server }) => server === id), nextCursor: null };
    }),
  ];
}

interface Asked {
  readonly search?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

function pageOf(all: readonly ServerState[], { search, limit, cursor }: Asked): Page<ServerState> {
  const wanted = all.filter(
    (state) =>
      (search === undefined || state.server.includes(search)) &&
      (cursor === undefined || cursorOf(state) > cursor),
  );
  const items = wanted.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: last && wanted.length > limit ? cursorOf(last) : null };
}
