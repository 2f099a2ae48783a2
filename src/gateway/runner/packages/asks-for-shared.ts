import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type AskedPackage, askedPackage } from './asked-package.ts';

/** A command that is to be run, for whom does not matter. */
export interface Wish {
  readonly server: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The directory of the operator's that it starts in; null: one of its own. */
  readonly cwd: string | null;
  /** The server may write into that directory. */
  readonly writesCwd: boolean;
}

/** Variables that decide where a package comes from, or with whose rights: what they fetch is nobody else's. */
const deciding =
  /^(?:npm_|uv_|pip_|ssl_cert_|xdg_|https?_proxy$|all_proxy$|no_proxy$|node_auth_token$|node_extra_ca_certs$|home$|path$)/i;

/** The package of a command that is the same for everybody; undefined where it has settings of its own. */
export function asksForShared(wish: Wish): AskedPackage | undefined {
  if (Object.keys(wish.env).some((name) => deciding.test(name))) return undefined;
  return askedPackage(wish);
}

/**
 * Settings of npm beside the config file, which npx would read there: without them a private package would be looked
 * for in public. Where servers may write, anybody may have put them there.
 */
export async function npmrcBeside({ cwd, writesCwd }: Wish) {
  if (cwd === null || writesCwd) return undefined;
  const file = path.join(cwd, '.npmrc');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : { file, text };
}
