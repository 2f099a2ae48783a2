/** Milliseconds since the epoch. Passed in wherever a rule depends on time, so that tests can fix it. */
export type Clock = () => number;

/**
 * Whether a moment that was set for at most `longest` milliseconds ahead is still to come. One that is further away was
 * set before the clock was set back, and must not be waited for.
 */
export function isAhead(until: number, now: number, longest: number): boolean {
  return now < until && until - now <= longest;
}

export const systemClock: Clock = () => Date.now();
