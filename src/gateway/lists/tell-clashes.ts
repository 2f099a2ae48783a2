import { LRUCache } from 'lru-cache';
import type { Log } from '../../platform/log.ts';
import type { NameClash } from './shown-tools.ts';

const mostTold = 1_000;

/** A name that cannot be used is told once, not for each list that it is missing from. */
export function tellClashes(log: Log): (server: string, clash: NameClash) => void {
  const told = new LRUCache<string, true>({ max: mostTold });
  return (server, { tool, name }) => {
    const key = JSON.stringify([server, tool, name]);
    if (told.has(key)) return;
    told.set(key, true);
    log.warn(
      { server, tool, name },
      'a tool keeps its own name, because another one has the name it should get',
    );
  };
}
