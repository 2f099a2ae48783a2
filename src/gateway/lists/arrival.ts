import type { Target } from '../upstreams/target.ts';

/**
 * How long the last ones are waited for when the others have answered, in milliseconds. A process may take longer to
 * start, but a remote server that says nothing then is most likely away.
 */
const quietMs = 1_000;

export interface Awaited {
  readonly target: Target;
  /** The look at it that is under way. */
  readonly loading: Promise<void> | undefined;
}

/**
 * Resolves when all have been looked at, or `left` milliseconds have passed, or only remote servers have said nothing
 * for long. `haveOthers` says that more servers are asked about, which have been looked at.
 */
export function arrival(all: readonly Awaited[], left: () => number, haveOthers: boolean): Promise<void> {
  const waiting = new Set(all.filter(({ loading }) => loading !== undefined));
  let haveAnswers = haveOthers;
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const wait = () => {
      clearTimeout(timer);
      if (waiting.size === 0) return resolve();
      const areRemote = [...waiting].every(({ target }) => target.server.definition.type !== 'stdio');
      const most = areRemote && haveAnswers ? quietMs : Number.POSITIVE_INFINITY;
      timer = setTimeout(resolve, Math.max(0, Math.min(most, left())));
      return undefined;
    };
    const arrived = (one: Awaited) => {
      waiting.delete(one);
      haveAnswers = true;
      wait();
    };
    for (const one of waiting) one.loading?.then(() => arrived(one)).catch(() => arrived(one));
    wait();
  });
}
