import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { AllowedCommand, FileCommands } from './allowed-commands.ts';
import { namedPaths } from './containment/named-paths.ts';
import { isBelow } from './containment/packages.ts';
import { isOperatorsOwn } from './fits.ts';

/** Could any server of the config file write this file? Then what it says need not be the operator's words. */
export async function anyMayWrite(file: string, commands: FileCommands): Promise<boolean> {
  const beside = path.join(await real(path.dirname(file)), path.basename(file));
  const targets = [beside, await real(file)];
  for (const command of commands.values()) {
    if (namesUnknown(command)) return true;
    const places = await Promise.all((await workedOn(command)).map(real));
    if (places.some((place) => targets.some((target) => isBelow(target, place)))) return true;
  }
  return false;
}

/** What it may write beside directories of its own. */
async function workedOn({ args, env, cwd, choosesCwd, limits }: AllowedCommand): Promise<string[]> {
  if (cwd === null) return [];
  const same = (text: string) => [text, text] as const;
  const named = await namedPaths({ args: args.map(same), env: Object.values(env).map(same), cwd });
  const paths = named.filter(({ isProgram }) => !isProgram).map((one) => one.path);
  const writes = (limits?.writes ?? []).map((one) => path.resolve(cwd, one));
  return [...paths, ...writes, ...(choosesCwd ? [cwd] : [])];
}

/** Names of variables that hold something else than a path. */
const noPath = /(?:key|token|secret|password|url)$/i;

/** Only the gate knows what stands in its environment, and that may be the path of anything. */
function namesUnknown({ args, env, cwd }: AllowedCommand): boolean {
  const variables = Object.entries(env).filter(([name]) => !noPath.test(name));
  const texts = [...args, ...variables.map(([, text]) => text)].filter(isOperatorsOwn);
  return [...texts, cwd ?? ''].some((text) => /(?<!\$)\$\{env:/.test(text));
}

function real(file: string): Promise<string> {
  return realpath(file).catch(() => path.resolve(file));
}
