/** How a catalog entry starts its server; texts may hold `${credential…}` and `${variable:NAME}`. */
export interface PinnedCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Every variable that it may be given. */
  readonly env: Readonly<Record<string, string>>;
  /** A program that the operator named in the config file: nothing is fetched, so no version is asked for. */
  readonly isOperators?: true;
}

/** Where each runtime has the name of what it fetches, and how an exact version of it looks. */
const exact: Readonly<Record<string, RegExp>> = {
  npx: /^(?:--package=)?(?:@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+(?:-[\w.]+)?$/,
  uvx: /^[\w.-]+(?:\[[\w,.-]+\])?(?:==|@)\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)?$/,
  docker: /^[\w./-]+(?::\d+\/[\w./-]+)?(?:(?::[\w.-]+)?@sha256:[0-9a-f]{64}|:v?\d+\.\d+[\w.-]*)$/,
};

/** Options of the runtimes that may stand before the name; any other could change what is run. */
const harmless: Readonly<Record<string, RegExp>> = {
  npx: /^(?:-y|--yes)$/,
  uvx: /^(?:--from)$/,
  docker: /^(?:run|-i|--rm|--interactive|--init|-e|--env|[A-Z][A-Z0-9_]*)$/,
};

/** What it fetches is an exact version, by a runtime that is known: tomorrow's is another command. */
export function isExactlyPinned({ command, args }: Pick<PinnedCommand, 'command' | 'args'>): boolean {
  const version = exact[command];
  const before = harmless[command];
  if (!version || !before) return false;
  const at = args.findIndex((arg) => !before.test(arg));
  return at >= 0 && version.test(args[at] ?? '');
}
