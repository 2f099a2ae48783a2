import type { Way } from '../contract.ts';

type StdioWay = Extract<Way, { type: 'stdio' }>;

/** An exact version, which is the same tomorrow; `latest` and ranges are none. */
const exactVersion: Readonly<Record<Exclude<StdioWay['runtime'], 'binary'>, RegExp>> = {
  npx: /^\d+\.\d+\.\d+(?:-[\w.]+)?$/,
  uvx: /^\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)?$/,
  docker: /^(?:v?\d+\.\d+[\w.-]*|sha256:[0-9a-f]{64})$/,
};

/** Exactly what is fetched. An image may have a tag, a digest or both; anything else has a version. */
export interface Pin {
  readonly version: string | null;
  readonly digest: string | null;
}

/** Does this name one thing and no other, for this runtime? */
export function isExact(runtime: StdioWay['runtime'], { version, digest }: Pin): boolean {
  if (runtime === 'binary') return false;
  if (runtime === 'docker' && digest !== null) return /^sha256:[0-9a-f]{64}$/.test(digest);
  return version !== null && exactVersion[runtime].test(version);
}

interface Launch {
  readonly pin: Pin | null;
  /** Names of the variables that a container gets from the environment of the command. */
  readonly env: readonly string[];
  readonly args: readonly string[];
}

/** The command line of a way. Throws where something would be fetched and nobody says which version. */
export function commandOf(way: StdioWay, launch: Launch): { command: string; args: string[] } {
  const { pin, args } = launch;
  if (way.runtime === 'binary') return { command: way.package, args: [...args] };
  if (pin === null) throw new Error(`no version of ${way.package} was chosen`);
  return { command: commands[way.runtime], args: [...fetched(way, pin, launch.env), ...args] };
}

const commands = { npx: 'npx', uvx: 'uvx', docker: 'docker' } as const;

/** What stands before the arguments of the server itself; everything after it is the server's. */
function fetched(way: StdioWay, pin: Pin, env: readonly string[]): string[] {
  if (way.runtime === 'docker')
    // The values go through the environment of the command, so that no process list shows them. A name that has no
    // value there is passed over, so every name stands here, filled in or not.
    return ['run', '-i', '--rm', ...env.flatMap((name) => ['-e', name]), imageOf(way.package, pin)];
  const spec = way.runtime === 'npx' ? `${way.package}@${pin.version}` : `${way.package}==${pin.version}`;
  const yes = way.runtime === 'npx' ? ['-y'] : [];
  if (way.bin === undefined) return [...yes, spec];
  return [...yes, ...(way.runtime === 'npx' ? [`--package=${spec}`] : ['--from', spec]), way.bin];
}

function imageOf(image: string, { version, digest }: Pin): string {
  const tag = version === null || version.startsWith('sha256:') ? '' : `:${version}`;
  const exact = digest ?? (version?.startsWith('sha256:') ? version : null);
  return `${image}${tag}${exact === null ? '' : `@${exact}`}`;
}
