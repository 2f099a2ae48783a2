// How questions and tools become words that can be compared. Tuned on test/tool-flood; docs/tool-flood.md has the figures.

/** Words of a question that say nothing about what is wanted. */
const empty = new Set(
  (
    'a an and any are as at be been but by can could did do does doing for from had has have he her him his how i if in ' +
    'into is it its just let like ll may me might more my need no not now of off on or our out please she should show so ' +
    'some tell than that the their them then there these they this those to up us use ve want was we were what when ' +
    'where which who whom whose why will with would you your'
  ).split(' '),
);

/** `getPullRequest_files-v2` -> get pull request files v2; any script, in lower case, accents kept. */
export function wordsOf(text: string): string[] {
  return text
    .replaceAll(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}

/** One spelling for the forms of an English word: emails, emailing, emailed -> email. Null for a word that says nothing. */
export function termOf(word: string): string | null {
  if (empty.has(word) || (word.length < 2 && /[a-z]/.test(word))) return null;
  return stem(word);
}

function stem(word: string): string {
  if (word.length < 4 || !/^[a-z]+$/.test(word)) return word;
  const singular = withoutPlural(word);
  for (const ending of ['ing', 'ed']) {
    const root = singular.slice(0, -ending.length);
    if (!singular.endsWith(ending) || root.length < 3 || !/[aeiouy]/.test(root)) continue;
    return withoutE(/([bdgmnprt])\1$/.test(root) ? root.slice(0, -1) : root);
  }
  return withoutE(singular);
}

function withoutPlural(word: string): string {
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`;
  if (/(ss|sh|ch|x|z)es$/.test(word)) return word.slice(0, -2);
  return /[^su]s$/.test(word) ? word.slice(0, -1) : word;
}

/** `delete` and `deleting` meet at `delet`. */
function withoutE(word: string): string {
  return word.length > 4 && word.endsWith('e') ? word.slice(0, -1) : word;
}
