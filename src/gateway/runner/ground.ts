/** Where servers live on this machine. */
export interface Ground {
  /** Their own directories are below it. */
  readonly root: string;
  /** What nobody but the gate may see. */
  readonly hidden: readonly string[];
  /** Directories in which commands are looked for. */
  readonly searched: readonly string[];
}
