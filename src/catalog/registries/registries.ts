import { createGuardedFetch, FetchFailed, type GuardedFetch } from '../../platform/guarded-fetch.ts';
import { createNetGuard } from '../../platform/net-guard.ts';
import type { Runtime } from '../contract.ts';
import { registryUnavailable } from '../errors.ts';
import { askDocker } from './docker.ts';
import type { Ask, AskUrl, Found } from './found.ts';
import { askNpm } from './npm.ts';
import { askPypi } from './pypi.ts';

/** Where packages and images come from. Addresses are the operator's or the entry's, never those of a request. */
export interface Registries {
  /**
   * The version that is meant, by default the newest one. Throws `registry_unavailable`, `version_not_found` or
   * `registry_answer_strange`.
   */
  find(runtime: Exclude<Runtime, 'binary'>, name: string, wanted?: string): Promise<Found>;
  close(): Promise<void>;
}

/** Mirrors of the public registries; what is left out, or empty, is the public one. */
export interface RegistrySettings {
  readonly npm?: string | undefined;
  readonly pypi?: string | undefined;
}

/** Where packages are looked up when nobody says otherwise. */
const publicNpm = 'https://registry.npmjs.org';
const publicPypi = 'https://pypi.org/simple';

/** What a package with thousands of versions needs. */
const mostBytes = 48 * 1024 * 1024;
const deadlineMs = 15_000;

export function createRegistries(settings: RegistrySettings, given?: GuardedFetch): Registries {
  const guard = createNetGuard({ allow: [] });
  const fetch = given ?? createGuardedFetch({ guard, maxBytes: mostBytes, deadlineMs });
  const below = (base: string): Ask => {
    const trustedOrigin = new URL(base).origin;
    return (path, headers) => fetch.fetch(`${base.replace(/\/+$/, '')}/${path}`, { headers, trustedOrigin });
  };
  const askUrl: AskUrl = (url, headers) => fetch.fetch(url, { headers });
  const [npm, pypi] = [below(settings.npm || publicNpm), below(settings.pypi || publicPypi)];
  const finders = {
    npx: (name: string, wanted?: string) => askNpm(npm, name, wanted),
    uvx: (name: string, wanted?: string) => askPypi(pypi, name, wanted),
    docker: (name: string, wanted?: string) => askDocker(askUrl, name, wanted),
  };
  return {
    async find(runtime, name, wanted) {
      try {
        return await finders[runtime](name, wanted);
      } catch (error) {
        if (error instanceof FetchFailed) throw registryUnavailable(error.host, name, error);
        throw error;
      }
    },
    close: () => fetch.close(),
  };
}
