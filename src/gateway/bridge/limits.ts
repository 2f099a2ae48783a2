/** Bounds of calls that wait for an answer of their client. Times in milliseconds, numbers of one process. */
export interface BridgeLimits {
  /** How long a parked call waits for its retry before it is cancelled at the server. */
  readonly parkedMs: number;
  /** Parked calls in all, and of one principal. Full: the server's question is answered with an error. */
  readonly mostParked: number;
  readonly mostPerPrincipal: number;
  /** How often one call may come back with questions. */
  readonly mostRounds: number;
  /** Questions of one call that are open at the same time. */
  readonly mostQuestions: number;
  /** How long further questions are waited for, so that they travel together. */
  readonly gatherMs: number;
  /** Characters of an answer that is kept, because nobody waited for it or because the same retry may come again. */
  readonly keptBytes: number;
  /** Characters that are kept of all calls that are parked: params, questions, answers. Full: as with `mostParked`. */
  readonly mostKept: number;
  /** The same of answers that were given; the oldest make room. */
  readonly mostTold: number;
  /** How often it is looked whether the callers of parked calls may still make them. */
  readonly recheckMs: number;
  /** Another process has so long to say that it takes a retry over. */
  readonly takeOverMs: number;
  /** It says so often that it is still there, and has `silenceMs` to say so. */
  readonly pingMs: number;
  readonly silenceMs: number;
  /** How long a settled answer is kept for the process that asked, and an asker may be silent. */
  readonly forgetMs: number;
}

export const bridgeLimits: BridgeLimits = {
  parkedMs: 600_000,
  mostParked: 1_000,
  mostPerPrincipal: 20,
  mostRounds: 50,
  mostQuestions: 20,
  gatherMs: 20,
  keptBytes: 1024 * 1024,
  mostKept: 128 * 1024 * 1024,
  mostTold: 32 * 1024 * 1024,
  recheckMs: 2_000,
  takeOverMs: 2_000,
  pingMs: 2_000,
  silenceMs: 4_000,
  forgetMs: 15_000,
};
