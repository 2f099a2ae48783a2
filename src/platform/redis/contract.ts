import { createHash } from 'node:crypto';

/** Questions to a Redis that nobody waits long for. */
export interface RedisLink {
  /** Is it worth asking at this moment? */
  isUsable(): boolean;
  /** Runs a script in one round trip. Rejects when Redis is away, or says nothing for about 50 ms. */
  run(script: Script, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown>;
  /** Since when it cannot be used; null while it can. */
  awaySince(): Date | null;
  close(): Promise<void>;
}

export interface Script {
  readonly text: string;
  /** What Redis knows it by. */
  readonly sha: string;
}

export function scriptOf(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
