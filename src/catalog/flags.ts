import { hasControlsInText, hasHiddenCharacters } from './characters.ts';

/**
 * What is suspicious about a tool's definition. Rules of thumb: they find what is known, an attacker who knows them
 * can avoid them, and honest tools may match. So a flag is shown to people and blocks nothing by itself.
 */

interface Rule {
  readonly says: string;
  readonly matches: (text: string) => boolean;
}

const rules: readonly Rule[] = [
  {
    says: 'It holds characters that cannot be seen (zero-width, tag characters or variation selectors).',
    matches: hasHiddenCharacters,
  },
  {
    says: 'It holds control characters: escape sequences, or marks that change the direction of writing.',
    matches: hasControlsInText,
  },
  {
    says: 'It holds markup that models take for orders, such as <IMPORTANT>.',
    matches: (text) => /<\/?(important|system|instructions?|secret|hidden|assistant|critical)\b/i.test(text),
  },
  {
    says: 'It tells the model to set its instructions aside.',
    matches: (text) =>
      /\b(ignore|disregard|forget|override)\b.{0,30}\b(previous|prior|above|earlier|system|all other)\b.{0,30}\b(instructions?|prompts?|rules?|messages?|directions?)\b/is.test(
        text,
      ),
  },
  {
    says: 'It tells the model to hide something from the user.',
    matches: (text) =>
      /\b(do not|don['’]t|never|without|must not|avoid)\s+(ever\s+)?(tell|telling|mention|mentioning|inform|informing|show|showing|reveal|revealing|notify|notifying|alert|alerting)\b.{0,40}\b(the )?users?\b/is.test(
        text,
      ),
  },
  {
    says: 'It tells the model to read files that hold secrets.',
    matches: (text) =>
      /\b(read|open|access|cat|load|include|pass|send|contents?)\b.{0,80}(~\/\.|\.ssh\b|id_(rsa|ed25519)\b|\.aws\/|\.env\b|mcp\.json\b|\/etc\/(passwd|shadow)\b|private key)/is.test(
        text,
      ),
  },
];

const lookedAt = 200_000;

/** One sentence for each rule that some text of the tool matches: its name, descriptions and every text in its schemas. */
export function flagsOf(tool: Readonly<Record<string, unknown>>): string[] {
  const texts = textsIn(tool);
  return rules.filter((rule) => texts.some(rule.matches)).map((rule) => rule.says);
}

/** Every key and text inside, up to a limit; without recursion, because depth is the server's choice. */
function textsIn(tool: unknown): string[] {
  const texts: string[] = [];
  const left: unknown[] = [tool];
  let characters = 0;
  while (left.length > 0 && characters < lookedAt) {
    const value = left.pop();
    if (typeof value === 'string') {
      texts.push(value.slice(0, lookedAt));
      characters += value.length;
    } else if (Array.isArray(value)) for (const one of value) left.push(one);
    else if (typeof value === 'object' && value !== null)
      for (const [key, inside] of Object.entries(value)) left.push(key, inside);
  }
  return texts;
}
