/** What the gate fills in before a process starts: a text of its environment, a credential, a variable of the tenant. */
const placeholder = /\$?\$\{env:[^}]*\}|\$\{(?:credential(?:[.:][^}]*)?|variable:[^}]*)\}/g;

/** Does the text come from the template, with any text in the place of each placeholder and no other difference? */
export function fits(text: string, template: string): boolean {
  const [first = '', ...rest] = literalsOf(template);
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const literal of rest) {
    const found = text.indexOf(literal, at);
    if (found < 0) return false;
    at = found + literal.length;
  }
  return text.length >= at + last.length && text.endsWith(last);
}

/** Nothing in it is filled in by anybody but the operator. */
export function isOperatorsOwn(template: string): boolean {
  return !/\$\{(?:credential[.:}]|variable:)/.test(template);
}

/** Begins with text that somebody else fills in. */
export function beginsOpen(template: string): boolean {
  return literalsOf(template).length > 1 && literalsOf(template)[0] === '';
}

/** The text between the placeholders; `$${env:NAME}` is no placeholder, but stands for `${env:NAME}` itself. */
function literalsOf(template: string): string[] {
  const literals = [''];
  let at = 0;
  for (const { 0: match, index } of template.matchAll(placeholder)) {
    const before = template.slice(at, index) + (match.startsWith('$$') ? match.slice(1) : '');
    literals.push(`${literals.pop() ?? ''}${before}`);
    if (!match.startsWith('$$')) literals.push('');
    at = index + match.length;
  }
  literals.push(`${literals.pop() ?? ''}${template.slice(at)}`);
  return literals;
}
