/**
 * Names that look like other names (https://www.unicode.org/reports/tr39/). A short map: the letters of other scripts
 * that are drawn like Latin ones, and what is alike within ASCII.
 */
const alike: Readonly<Record<string, string>> = {
  ...pairs('аɑα', 'a'),
  ...pairs('Ьƅ', 'b'),
  ...pairs('сϲ', 'c'),
  ...pairs('ԁ', 'd'),
  ...pairs('еҽ', 'e'),
  ...pairs('ɡց', 'g'),
  ...pairs('һհ', 'h'),
  ...pairs('іıɩι', 'i'),
  ...pairs('ӏІ1I|', 'l'),
  ...pairs('ј', 'j'),
  ...pairs('κк', 'k'),
  ...pairs('м', 'm'),
  ...pairs('ոп', 'n'),
  ...pairs('оοσօ0OОΟ', 'o'),
  ...pairs('рρ', 'p'),
  ...pairs('ԛ', 'q'),
  ...pairs('г', 'r'),
  ...pairs('ѕ', 's'),
  ...pairs('т', 't'),
  ...pairs('υս', 'u'),
  ...pairs('νѵ', 'v'),
  ...pairs('ѡԝ', 'w'),
  ...pairs('хχ', 'x'),
  ...pairs('уγ', 'y'),
  ...pairs('АΑ', 'A'),
  ...pairs('ВΒ', 'B'),
  ...pairs('СϹ', 'C'),
  ...pairs('ЕΕ', 'E'),
  ...pairs('НΗ', 'H'),
  ...pairs('КΚ', 'K'),
  ...pairs('МΜ', 'M'),
  ...pairs('РΡ', 'P'),
  ...pairs('ТΤ', 'T'),
  ...pairs('ХΧ', 'X'),
  ...pairs('‐‑‒–—−', '-'),
};

/** Two names with the same skeleton look the same. */
export function skeleton(name: string): string {
  const visible = name.normalize('NFKC').replaceAll(/[\p{Cc}\p{Cf}\p{Mn}]/gu, '');
  return Array.from(visible, (character) => alike[character] ?? character).join('');
}

/** Letters of two scripts in one name, of which one is drawn like the other. */
export function mixesScripts(name: string): boolean {
  return (
    /\p{Script=Latin}/u.test(name) && /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}]/u.test(name)
  );
}

export interface NamedTool {
  readonly server: string;
  readonly tool: string;
}

/** Finds names that are not the same and look the same, across all servers. */
export class Lookalikes {
  readonly #bySkeleton = new Map<string, Map<string, string>>();

  constructor(tools: Iterable<NamedTool>) {
    for (const { server, tool } of tools) {
      const key = skeleton(tool);
      const names = this.#bySkeleton.get(key) ?? new Map<string, string>();
      this.#bySkeleton.set(key, names);
      if (!names.has(tool)) names.set(tool, server);
    }
  }

  /** One sentence for a name that looks like another tool's, and one for a name of two scripts. */
  flagsOf(tool: string): string[] {
    const [other] = [...(this.#bySkeleton.get(skeleton(tool)) ?? [])].filter(([name]) => name !== tool);
    const flags = mixesScripts(tool) ? ['Its name mixes letters of two scripts that look alike.'] : [];
    if (other) flags.push(`Its name looks like "${other[0]}" of the server ${other[1]}, and is another.`);
    return flags;
  }
}

function pairs(characters: string, latin: string): Record<string, string> {
  return Object.fromEntries(Array.from(characters, (character) => [character, latin]));
}
