/** What PostgreSQL can store: NUL characters and halves of surrogate pairs are refused by text and jsonb alike. */
export function clean(text: string): string {
  return text.replaceAll('\u0000', '').toWellFormed();
}
