/** What went wrong, as one sentence for the person at the terminal. */
export class CallError extends Error {}

/** What a command reads from and writes to; tests give their own. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  /** One sentence about what went wrong. */
  readonly complain: (message: string) => void;
  /** Whoever sits there, or what is piped in; absent where there is neither. */
  readonly input?: Input;
}

export interface Input {
  /** Somebody can be asked; otherwise there is only what is piped in. */
  readonly isPerson: boolean;
  /** Everything that is piped in. */
  read(): Promise<string>;
  /** One line of an answer. */
  ask(question: string): Promise<string>;
  /** The same without showing what is typed. */
  askHidden(question: string): Promise<string>;
}

/** Where a command that ends without an exception, but not well, leaves its exit code. */
export interface Outcome {
  code: number;
}

/** Columns as wide as their widest cell. Without rows it prints `nothing`. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  nothing: string,
): string {
  if (rows.length === 0) return `${nothing}\n`;
  const lines = [heads, ...rows.map((row) => row.map(plain))];
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const write = (line: readonly string[]) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return `${lines.map(write).join('\n')}\n`;
}

/** Text from elsewhere, made harmless: escape sequences could rewrite what the terminal shows. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');
}
