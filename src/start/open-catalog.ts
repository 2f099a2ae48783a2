import { createKnownEntries, createRegistries } from '../catalog/index.ts';
import type { Config, ConfigFile } from '../config.ts';
import type { Closing } from '../platform/closing.ts';

/** The entries as the config file has them at the moment, and where their packages come from. */
export function openCatalog(
  { config, closing }: { config: Config; closing: Closing },
  file: () => ConfigFile,
) {
  const registries = closing.keep('registries', createRegistries(registrySettings(config)));
  return { entries: createKnownEntries(() => file().catalog), registries };
}

/** npm tells the programs that it starts which registry it uses. */
function registrySettings({ NPM_CONFIG_REGISTRY, UV_DEFAULT_INDEX, variables }: Config) {
  const ofNpm = URL.parse(variables['npm_config_registry'] ?? '')?.href;
  return { npm: NPM_CONFIG_REGISTRY ?? ofNpm, pypi: UV_DEFAULT_INDEX };
}
