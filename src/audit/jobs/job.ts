export interface Turn {
  /** What `keep` kept last, in whichever process. */
  readonly state: unknown;
  readonly signal: AbortSignal;
  /** Keeps how far the work has come. Rejects when the turn is another process's by now. */
  keep(state: object): Promise<void>;
}

export interface Job {
  readonly name: string;
  readonly everyMs: number;
  run(turn: Turn): Promise<void>;
}
