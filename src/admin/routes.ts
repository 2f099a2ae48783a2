import { type Route, route } from '../platform/contract.ts';
import { type ApplyOptions, api, type ConfigChange } from './contract.ts';

/**
 * `POST /config/apply`. `apply` reads the server's own file: its text never comes from the caller, so nothing that
 * the admin API receives is ever run as a command.
 */
export function configRoutes(deps: {
  apply(options: ApplyOptions): Promise<readonly ConfigChange[]>;
}): Route[] {
  return [route(api.applyConfig, async ({ body }) => ({ changes: await deps.apply(body) }))];
}
