/** Which tools a list of patterns lets through, compiled once and asked many times. */
export interface ToolRule {
  readonly patterns: readonly string[];
  /** Equal for two rules that name the same patterns, in whatever order. */
  readonly key: string;
  /** All tools are meant: a positive `*` is among the patterns and nothing refuses `*`. */
  readonly whole: boolean;
  readonly allows: (tool: string) => boolean;
}

/**
 * Compiles glob patterns: `*` is any run of characters, `?` any one (UTF-16 unit), a leading `!` refuses;
 * case-sensitive, no escapes. A tool is let through when a positive pattern matches it and no refusing one
 * does. No patterns: nothing is let through.
 */
export function compileToolPatterns(patterns: readonly string[]): ToolRule {
  const positive = patterns.filter((pattern) => !pattern.startsWith('!')).map(plain);
  const refusing = patterns
    .filter((pattern) => pattern.startsWith('!'))
    .map((pattern) => plain(pattern.slice(1)));
  const granted = anyOf(positive);
  const refused = anyOf(refusing);
  return {
    patterns,
    key: JSON.stringify([...new Set(patterns)].sort()),
    whole: positive.includes('*') && !refusing.includes('*'),
    allows: (tool) => granted(tool) && !refused(tool),
  };
}

type Match = (text: string) => boolean;

/** `**` means what `*` means. */
function plain(glob: string): string {
  return glob.replaceAll(/\*+/g, '*');
}

/** Names without wildcards, the bulk of long lists, cost one look-up together. */
function anyOf(globs: readonly string[]): Match {
  if (globs.includes('*')) return () => true;
  const names = new Set(globs.filter((glob) => !/[*?]/.test(glob)));
  const matchers = globs.filter((glob) => /[*?]/.test(glob)).map(matcher);
  if (matchers.length === 0) return (text) => names.has(text);
  return (text) => names.has(text) || matchers.some((matches) => matches(text));
}

function matcher(glob: string): Match {
  const head = glob.slice(0, -1);
  if (glob.endsWith('*') && !/[*?]/.test(head)) return (text) => text.startsWith(head);
  return (text) => globMatches(glob, text);
}

/**
 * Two pointers and one remembered `*`: at most glob x text steps, so no pattern and no tool name can make it
 * run away as a backtracking regular expression can.
 */
function globMatches(glob: string, text: string): boolean {
  let g = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (glob[g] === '*') {
      star = g++;
      resume = t;
    } else if (glob[g] === '?' || (g < glob.length && glob[g] === text[t])) {
      g++;
      t++;
    } else if (star >= 0) {
      g = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (glob[g] === '*') g++;
  return g === glob.length;
}
