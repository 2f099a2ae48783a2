/** Of the runner's own environment: the language and the time, and what it takes to get out of the house. */
const named = ['LANG', 'LC_ALL', 'TZ'];
/** Files and directories with the authorities that are trusted here. */
const authorities = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];
const registries = [
  'NPM_CONFIG_REGISTRY',
  'npm_config_registry',
  'PIP_INDEX_URL',
  'UV_DEFAULT_INDEX',
  'UV_INDEX_URL',
];

/** Names of variables that servers get as the runner has them. A proxy or registry with a password is none of theirs. */
export const passedOnNames: readonly string[] = [...named, ...authorities, ...proxies, ...registries];

export function passedOn(env: NodeJS.ProcessEnv): Record<string, string> {
  const found = passedOnNames.flatMap((name) => {
    const value = env[name];
    return value && !value.includes('@') ? [[name, value] as const] : [];
  });
  return Object.fromEntries(found);
}

/** What of it are files that a server has to see. */
export function authorityFiles(env: NodeJS.ProcessEnv): string[] {
  return authorities.flatMap((name) => (env[name]?.startsWith('/') ? [env[name]] : []));
}
