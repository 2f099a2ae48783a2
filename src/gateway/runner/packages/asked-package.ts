/** Programs that fetch a package and run something of it. */
export type Fetcher = 'npx' | 'uvx';

/** A package in an exact version, and what of it is to be run. */
export interface AskedPackage {
  readonly fetcher: Fetcher;
  /** As npm and uv are told it: `@acme/tools@1.2.3`, `tools[http]==1.2.3`. */
  readonly spec: string;
  readonly name: string;
  readonly version: string;
  /** Undefined: the one that the fetcher would choose. */
  readonly bin: string | undefined;
  /** For the program itself. */
  readonly rest: readonly string[];
}

interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

const specs: Readonly<Record<Fetcher, RegExp>> = {
  npx: /^(?<name>(?:@[\w-][\w.-]*\/)?[\w-][\w.-]*)@(?<version>\d+\.\d+\.\d+(?:[-+][\w.+-]+)?)$/,
  uvx: /^(?<name>[A-Za-z\d](?:[\w.-]*[A-Za-z\d])?)(?<extras>\[[\w,.-]+\])?(?:==|@)(?<version>\d[\w.+!-]*)$/,
};
/** One that ends in a path, or begins like an option, is none. */
const program = /^[A-Za-z\d_][\w.-]*$/;

/**
 * What a command fetches and runs, where that is one exact version and nothing else is asked of the fetcher: such a
 * package is the same for everybody. Undefined for anything else.
 */
export function askedPackage({ command, args }: Command): AskedPackage | undefined {
  if (command === 'npx') return npx(args);
  return command === 'uvx' ? uvx(args) : undefined;
}

/** `[-y] NAME@VERSION …` and `[-y] --package=NAME@VERSION BIN …`. */
function npx(args: readonly string[]): AskedPackage | undefined {
  const [first = '', ...others] = args;
  const [spec = '', ...rest] = first === '-y' || first === '--yes' ? others : args;
  if (spec === '-p' || spec === '--package') return named('npx', rest);
  const [, value] = /^--package=(.*)$/.exec(spec) ?? [];
  return value === undefined ? made('npx', spec, { bin: undefined, rest }) : named('npx', [value, ...rest]);
}

/** `NAME==VERSION …` and `--from NAME==VERSION BIN …`. */
function uvx(args: readonly string[]): AskedPackage | undefined {
  const [first = '', ...rest] = args;
  return first === '--from' ? named('uvx', rest) : made('uvx', first, { bin: undefined, rest });
}

function named(fetcher: Fetcher, [spec = '', bin = '', ...rest]: readonly string[]) {
  return program.test(bin) ? made(fetcher, spec, { bin, rest }) : undefined;
}

function made(
  fetcher: Fetcher,
  text: string,
  run: Pick<AskedPackage, 'bin' | 'rest'>,
): AskedPackage | undefined {
  const { name, version, extras = '' } = specs[fetcher].exec(text)?.groups ?? {};
  if (name === undefined || version === undefined) return undefined;
  const spec = fetcher === 'npx' ? text : `${name}${extras}==${version}`;
  return { fetcher, spec, name, version, ...run };
}
