import { existsSync } from 'node:fs';
import { readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { NamedPath } from './named-paths.ts';
import { isBelow, neededFor, packageOf } from './packages.ts';

/** What a process finds at a path: what the runner has there, or what hides it. */
export type Shown =
  | { readonly at: string; readonly how: 'read' | 'write'; readonly source: string }
  | { readonly at: string; readonly how: 'link'; readonly to: string }
  | { readonly at: string; readonly how: 'hidden-directory' | 'hidden-file' };

export interface ViewOrder {
  readonly command: string;
  readonly cwd: string;
  /** Paths of the definition, which it may work on. */
  readonly named: readonly NamedPath[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Directories in which commands are looked for. */
  readonly searched: readonly string[];
  /** What nobody but the gate may see, wherever it lies. */
  readonly hidden: readonly string[];
  readonly home: string;
  readonly temporary: string;
  readonly sharedMemory: string;
  /** What everybody runs and nobody may change; links in there are not followed. */
  readonly packages: readonly string[];
}

/** Everything of the system that programs need to run; of /etc only what they look things up in. */
const system = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store'];
const lookedUp = [
  ...['alternatives', 'ca-certificates', 'ca-certificates.conf', 'crypto-policies', 'fonts', 'gai.conf'],
  ...['group', 'host.conf', 'hosts', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'localtime', 'mime.types'],
  ...['nsswitch.conf', 'passwd', 'pki', 'protocols', 'resolv.conf', 'services', 'ssl', 'timezone'],
].map((name) => `/etc/${name}`);
/** Never to be written, whatever a definition names; and of what the kernel shows there, nothing is theirs. */
const reserved = [...system, '/etc', '/dev', '/proc', '/sys', '/boot'];
/** Files that the gate keeps in its data directory, beside which an operator may have named one for a server. */
const gatesOwn = /^(?:master\.key|admin-token|lock\.|\.)/;

/**
 * The file system as one process sees it: the system and the packages that it needs, read-only; the directory that it
 * starts in; what its definition names; and its own directories. What lies deeper comes later.
 */
export async function viewOf(order: ViewOrder): Promise<Shown[]> {
  const view = new View();
  for (const one of system) await view.addSystem(one);
  for (const one of lookedUp)
    if (existsSync(one)) view.set({ at: one, how: 'read', source: await realpath(one) });
  const worked = writable(order);
  // What it may write could lead anywhere by now, so nothing in there is followed. It is shown with the rest of it.
  const isSettled = (one: string) => !worked.some((other) => other !== one && isBelow(one, other));
  const programs = order.named.filter(({ isProgram }) => isProgram).map((one) => packageOf(one.path));
  const needed = await neededFor(order.command, { ...order, isSettled });
  for (const one of [...needed, ...programs, ...order.reads, order.cwd].filter(isSettled))
    await view.add(one, 'read');
  for (const one of worked) await view.add(one, 'write');
  for (const one of order.hidden) await view.hide(one);
  for (const one of besideTheGates(order)) await view.add(one, 'write');
  const { home, temporary, sharedMemory } = order;
  for (const [at, source] of [
    ['/tmp', temporary],
    ['/var/tmp', temporary],
    ['/dev/shm', sharedMemory],
    [home, home],
  ] as const)
    view.set({ at, how: 'write', source });
  for (const at of order.packages) view.set({ at, how: 'read', source: at });
  return view.sorted();
}

class View {
  readonly #shown = new Map<string, Shown>();
  readonly #aliases: (readonly [at: string, real: string])[] = [];

  set(one: Shown): void {
    this.#shown.set(one.at, one);
  }

  async addSystem(at: string): Promise<void> {
    const to = await readlink(at).catch(() => undefined);
    if (to === undefined) return this.add(at, 'read');
    this.set({ at, how: 'link', to });
  }

  /** Where it really is, so that links that lead there lead somewhere. */
  async add(at: string, how: 'read' | 'write'): Promise<void> {
    const real = await realpath(at).catch(() => undefined);
    if (real === undefined || real === '/') return;
    if (how === 'read' && system.some((one) => one !== real && isBelow(real, one))) return;
    if (real !== at) this.#aliases.push([at, real]);
    if (this.#shown.get(real)?.how !== 'write') this.set({ at: real, how, source: real });
  }

  /** Where it really is, whatever leads there. */
  async hide(named: string): Promise<void> {
    const at = await realpath(named).catch(() => undefined);
    if (at === undefined || !this.#covers(at)) return;
    this.set({ at, how: (await stat(at)).isDirectory() ? 'hidden-directory' : 'hidden-file' });
  }

  sorted(): Shown[] {
    // Inside something that is shown, the link itself is there.
    for (const [at, to] of this.#aliases) if (!this.#covers(at)) this.set({ at, how: 'link', to });
    return [...this.#shown.values()].sort((a, b) => depth(a.at) - depth(b.at) || (a.at < b.at ? -1 : 1));
  }

  /** Is it in something that is shown as it is? */
  #covers(at: string): boolean {
    return [...this.#shown.values()].some(
      (one) => 'source' in one && one.source === one.at && isBelow(at, one.at),
    );
  }
}

/** What it may work on; a path inside another such path is there already, and must not be followed once more. */
function writable({ named, writes, hidden, home }: ViewOrder): string[] {
  const wanted = [...named.filter(({ isProgram }) => !isProgram).map((one) => one.path), ...writes];
  const fine = wanted.filter(
    (one) => one !== '/' && ![...reserved, ...hidden, home].some((other) => isBelow(one, other)),
  );
  return fine.filter((one) => !fine.some((other) => other !== one && isBelow(one, other)));
}

/** A single file that the operator named in a directory that is hidden otherwise. */
function besideTheGates({ named, hidden }: ViewOrder): string[] {
  return named
    .filter(({ isDirectory }) => !isDirectory)
    .map((one) => one.path)
    .filter((one) => hidden.includes(path.dirname(one)) && !hidden.includes(one))
    .filter((one) => !gatesOwn.test(path.basename(one)));
}

function depth(at: string): number {
  return at === '/' ? 0 : at.split('/').length;
}

/** The same as arguments of bwrap(1). */
export function bubblewrapArgs(view: readonly Shown[]): string[] {
  const made = new Set<string>();
  const mounts = view.flatMap((one) => {
    const missing = ancestorsOf(one.at).filter((at) => !made.has(at));
    for (const at of missing) made.add(at);
    // Those that it makes by itself are for their owner alone.
    return [...missing.flatMap((at) => ['--dir', at]), ...mountOf(one)];
  });
  // Whatever is held in memory to hold the rest is closed at last: nobody fills the memory by writing there.
  const held = view.filter(({ how }) => how === 'hidden-directory').map(({ at }) => at);
  const closed = [...held, '/dev', '/'].flatMap((at) => ['--remount-ro', at]);
  return ['--proc', '/proc', '--dev', '/dev', ...mounts, ...closed];
}

function mountOf(one: Shown): string[] {
  if (one.how === 'read') return ['--ro-bind', one.source, one.at];
  if (one.how === 'write') return ['--bind', one.source, one.at];
  if (one.how === 'link') return ['--symlink', one.to, one.at];
  return one.how === 'hidden-file' ? ['--ro-bind', '/dev/null', one.at] : ['--tmpfs', one.at];
}

/** From the topmost down, without the root. */
function ancestorsOf(at: string): string[] {
  const above = path.dirname(at);
  return above === '/' ? [] : [...ancestorsOf(above), above];
}
