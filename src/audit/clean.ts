/** What PostgreSQL can store: NUL characters and halves of surrogate pairs are refused by text and jsonb alike. */
export function clean(text: string): string {
  return text.replaceAll('\u0000', '').toWellFormed();
}

/**
 * JSON text that jsonb takes, of rows of plain values. Hardly any record holds what must be cleaned, and JSON spells
 * it with escapes: one look at the text of a whole batch costs less than a look at each string.
 */
export function cleanJson(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const text = JSON.stringify(rows);
  if (!/\\u(?:0000|d[89a-f])/.test(text)) return text;
  return JSON.stringify(rows, (_key, value: unknown) => (typeof value === 'string' ? clean(value) : value));
}
