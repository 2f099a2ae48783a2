import { stat } from 'node:fs/promises';
import path from 'node:path';
import { isOperatorsOwn } from '../fits.ts';

/** A file or directory that a definition names, which is there. */
export interface NamedPath {
  readonly path: string;
  readonly isDirectory: boolean;
  /** It is run or loaded rather than worked on, so what lies around it is needed too. */
  readonly isProgram: boolean;
}

/** Texts of a definition, as they were written and as they are once they are filled in. */
export interface Texts {
  readonly args: readonly (readonly [template: string, filled: string])[];
  readonly env: readonly (readonly [template: string, filled: string])[];
  readonly cwd: string;
}

/**
 * The paths that the operator wrote into a definition: a server that is told to serve a directory must find it. What
 * somebody else fills in (credentials, variables of tenants) names none, or a tenant could have itself shown anything.
 */
export async function namedPaths({ args, env, cwd }: Texts): Promise<NamedPath[]> {
  const own = ([template]: readonly [string, string]) => isOperatorsOwn(template);
  const inArgs = args.filter(own).flatMap(([, text]) => candidates(text, /^[^-]/));
  const inEnv = env.filter(own).flatMap(([, text]) => candidates(text, /^(?:\/|\.\.?\/)/));
  const all = new Set([...inArgs, ...inEnv].map((text) => path.resolve(cwd, text)));
  const found = await Promise.all([...all].map(look));
  return found.filter((one) => one !== undefined);
}

/** The text itself, and what stands after the equals sign of an option such as `--root=/srv/docs`. */
function candidates(text: string, wholeLooksLikeOne: RegExp): string[] {
  const whole = wholeLooksLikeOne.test(text) ? [text] : [];
  const value = /^-[^=]*=((?:\/|\.\.?\/).*)$/.exec(text)?.[1];
  return value === undefined ? whole : [...whole, value];
}

const programs = /\.(?:[cm]?[jt]s|py|pyz|rb|sh|jar|php|pl|lua|dll|wasm)$/;

async function look(target: string): Promise<NamedPath | undefined> {
  const found = await stat(target).catch(() => undefined);
  if (!found || (!found.isDirectory() && !found.isFile())) return undefined;
  const isProgram = found.isFile() && (programs.test(target) || (found.mode & 0o111) !== 0);
  return { path: target, isDirectory: found.isDirectory(), isProgram };
}
