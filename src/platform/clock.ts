/** Milliseconds since the epoch. Passed in wherever a rule depends on time, so that tests can fix it. */
export type Clock = () => number;

export const systemClock: Clock = () => Date.now();
