import { email } from '../access/contract.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
const unprintable = /[\u0000-\u001f\u007f]/;
// The Kelvin sign lower-cases to a plain "k": another person's address could be made from it.
const kelvinSign = '\u212a';

/** A stated e-mail address in the one spelling that is stored, or undefined when it is none. */
export function readEmail(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.includes(kelvinSign) || unprintable.test(value)) return undefined;
  return email.safeParse(value).data;
}
