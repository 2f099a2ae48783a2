import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import { UpstreamError } from '../../connectors/contract.ts';
import { type AskedPackage, askedPackage } from './asked-package.ts';

/** A command that is to be run, for whom does not matter. */
export interface Wish {
  readonly server: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The directory of the operator's that it starts in; null: one of its own. */
  readonly cwd: string | null;
  /** Could any server write this file? */
  mayBeWritten(file: string): Promise<boolean>;
}

/** Variables that decide where a package comes from, or with whose rights: what they fetch is nobody else's. */
const deciding =
  /^(?:npm_|uv_|pip_|ssl_cert_|xdg_|https?_proxy$|all_proxy$|no_proxy$|node_auth_token$|node_extra_ca_certs$|home$|path$)/i;

/** The package of a command that is the same for everybody; undefined where it has settings of its own. */
export function asksForShared(wish: Wish): AskedPackage | undefined {
  if (Object.keys(wish.env).some((name) => deciding.test(name))) return undefined;
  return askedPackage(wish);
}

/** Words of the environment, and names of further files: somewhere else they mean something else. */
const meantThere = /\$\{|file\s*=/;

/**
 * Settings of npm that npx would read where a command starts: without them a private package would be looked for in
 * public. `own`: the package that they lead to is nobody else's, because they may be the words of a server, or do not
 * mean the same where packages are installed. Throws UpstreamError where nobody can say what they are.
 */
export async function npmrcBeside({
  server,
  cwd,
  mayBeWritten,
}: Wish): Promise<{ readonly text: string } | 'own' | undefined> {
  if (cwd === null) return undefined;
  const file = path.join(cwd, '.npmrc');
  try {
    if (!(await isThere(file))) return undefined;
    if (await mayBeWritten(file)) return 'own';
    const text = await readFile(file, 'utf8');
    return meantThere.test(text) ? 'own' : { text };
  } catch (cause) {
    throw new UpstreamError(
      'unreachable',
      `The runner cannot read the .npmrc in the directory in which the server "${server}" starts; it says where its package comes from.`,
      { cause },
    );
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
