import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Bus, everyone } from '../../platform/bus/contract.ts';
import type { FollowedKeys } from './followed-keys.ts';

const askTopic = 'master-keys.who-has';
const tellTopic = 'master-keys.has';
const question = z.object({ id: z.string(), key: z.string() });
const answer = z.object({ id: z.string(), has: z.boolean() });

export interface Survey {
  /** Other processes that have the key, and those that do not, by their names on the bus. */
  readonly having: number;
  readonly lacking: number;
}

/** What the processes of an installation tell each other about their master keys: ids, and nothing of the keys. */
export interface Holders {
  /** Null while messages do not get through, so that nobody can be asked. */
  ask(key: string): Promise<Survey | null>;
  close(): void;
}

/** `patienceMs`: how long answers are waited for. Twice asked, because one message may be lost. */
export function createHolders(o: { bus: Bus; keys: FollowedKeys; patienceMs?: number }): Holders {
  const { bus, keys, patienceMs = 1_500 } = o;
  const has = (key: string) => keys.ring.held().some((held) => held.key.id === key);
  const stop = bus.on(askTopic, (message, from) => {
    const asked = question.safeParse(message).data;
    if (!asked) return;
    const tell = () => bus.send(from, tellTopic, { id: asked.id, has: has(asked.key) });
    // It may have been added to the file that this process reads, too. `reload` never rejects.
    if (has(asked.key)) tell();
    else void keys.ring.reload().then(tell, tell);
  });
  return {
    async ask(key) {
      if (bus.awaySince()) return null;
      const found = new Map<string, boolean>();
      const id = randomUUID();
      const stopHearing = bus.on(tellTopic, (message, from) => {
        const told = answer.safeParse(message).data;
        if (told?.id === id) found.set(from, told.has);
      });
      for (let round = 0; round < 2; round++) {
        bus.send(everyone, askTopic, { id, key });
        await sleep(patienceMs / 2);
      }
      stopHearing();
      const having = [...found.values()].filter(Boolean).length;
      return { having, lacking: found.size - having };
    },
    close: stop,
  };
}
