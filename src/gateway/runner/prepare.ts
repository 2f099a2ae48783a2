import { existsSync } from 'node:fs';
import path from 'node:path';
import type { AllowedCommand, Wanted } from './allowed-commands.ts';
import type { Order } from './containment/launch.ts';
import { type NamedPath, namedPaths } from './containment/named-paths.ts';
import { comesTo, mayUse, type OtherUser, type Use, userFor } from './containment/other-user.ts';
import type { System } from './containment/offered.ts';
import { authorityFiles } from './containment/passed-on.ts';
import { type Shown, viewOf } from './containment/view.ts';
import { directoryName, makeOwnDirectories, type OwnDirectories, type Owner } from './data-directory.ts';
import type { Ground } from './ground.ts';
import { installedInstead } from './installed-package.ts';
import type { Limits } from './limits.ts';
import type { Shelved } from './packages/shelf.ts';

/** What is to be started, for whom, and how much it may use. */
export interface Job {
  readonly id: string;
  readonly owner: Owner;
  readonly wanted: Wanted;
  readonly allowed: AllowedCommand;
  readonly limits: Limits;
  /** What it would fetch, where that is there already. */
  readonly shelved: Shelved | undefined;
}

/** An order, and why the process stays the runner's user where it should have been another. */
export interface Prepared {
  readonly order: Order;
  readonly staysUser: string | undefined;
}

/** In arguments and variables of a definition: the directory that the process may keep things in. */
const ownDirectory = '${dataDir}';

/** Decides everything about a process, and makes its directories. */
export async function prepareOrder(job: Job, ground: Ground, system: System): Promise<Prepared> {
  const { id, owner, limits } = job;
  const where = path.join(ground.root, directoryName(owner));
  const start = { ...job, cwd: job.allowed.cwd ?? where };
  const named = await pathsOf(start);
  const other = system.user && userFor(system.user, directoryName(owner));
  const staysUser = other ? await whatKeeps(other, { ...start, named }, { ground, system }) : undefined;
  const user = staysUser === undefined ? other : null;
  const directories = await makeOwnDirectories(ground.root, owner, { id, user });
  const cwd = job.allowed.cwd ?? directories.home;
  const fill = (text: string) => text.replaceAll(ownDirectory, directories.home);
  const view = await viewFor({ ...start, cwd, named }, { directories, ground, system });
  const started = startedFor(job, ground);
  const order: Order = {
    ...{ id, limits, user, cwd, view, directories },
    command: started.command,
    args: started.args.map(fill),
    env: Object.fromEntries(Object.entries(job.wanted.env).map(([name, text]) => [name, fill(text)])),
    searched: ground.searched,
  };
  return { order, staysUser };
}

/** `PATH`, then the program with its arguments; only behind the walls, or the package could bring what makes them. */
const besideIts = 'PATH=$1; export PATH; shift; exec "$@"';

function startedFor({ allowed, shelved, wanted }: Job, { searched }: Ground) {
  if (shelved) {
    const { program, args } = shelved;
    const places = [path.dirname(program), ...searched].join(path.delimiter);
    return { command: '/bin/sh', args: ['-c', besideIts, 'begin', places, program, ...args] };
  }
  return allowed.origin === 'catalog' ? installedInstead(wanted, searched) : wanted;
}

interface Start extends Job {
  readonly cwd: string;
}

/** What the operator's definition names; the directory that it starts in too, if it was chosen. */
async function pathsOf({ wanted, allowed, cwd }: Start): Promise<NamedPath[]> {
  if (allowed.origin === 'catalog') return [];
  const args = allowed.args.map((template, at) => [template, wanted.args[at] ?? ''] as const);
  const env = Object.entries(allowed.env).map(
    ([name, template]) => [template, wanted.env[name] ?? ''] as const,
  );
  const named = await namedPaths({ args, env, cwd });
  return allowed.choosesCwd ? [...named, { path: cwd, isDirectory: true, isProgram: false }] : named;
}

function viewFor(
  { wanted, allowed, cwd, named, shelved }: Start & { readonly named: readonly NamedPath[] },
  o: { readonly directories: OwnDirectories; readonly ground: Ground; readonly system: System },
): Promise<Shown[]> {
  if (o.system.walls !== 'bubblewrap') return Promise.resolve([]);
  const absolute = (paths: readonly string[] = []) => paths.map((one) => path.resolve(cwd, one));
  return viewOf({
    ...{ command: wanted.command, cwd, named },
    ...o.directories,
    reads: [...absolute(allowed.limits?.reads), ...authorityFiles(process.env)],
    writes: absolute(allowed.limits?.writes),
    searched: o.ground.searched,
    hidden: o.ground.hidden,
    packages: shelved ? [shelved.files] : [],
  });
}

/**
 * What the other user could not use though the server needs it: then it stays the user that it would have been without
 * a runner, rather than fail. Behind walls it need not come through the directories above what it is shown.
 */
async function whatKeeps(
  user: OtherUser,
  { wanted, allowed, cwd, named }: Start & { readonly named: readonly NamedPath[] },
  { ground, system }: { readonly ground: Ground; readonly system: System },
): Promise<string | undefined> {
  const reach = system.walls !== 'bubblewrap';
  const command = wanted.command.includes('/')
    ? path.resolve(cwd, wanted.command)
    : ground.searched.map((one) => path.join(one, wanted.command)).find((one) => existsSync(one));
  const needs: (readonly [target: string, use: Use])[] = [
    ...(allowed.cwd === null ? [] : [[cwd, 'read'] as const]),
    ...(command === undefined ? [] : [[command, 'read'] as const]),
    ...named.map((one) => [one.path, one.isProgram ? 'read' : 'write'] as const),
    ...(reach ? [[process.execPath, 'read'] as const] : []),
  ];
  const above = path.dirname(ground.root);
  if (reach && !(await comesTo(user, above))) return `${user.name} may not enter ${above}`;
  for (const [target, use] of needs) {
    if (!(await mayUse(user, target, { use, reach }))) return `${user.name} may not ${use} ${target}`;
  }
  return undefined;
}
