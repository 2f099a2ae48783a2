/** How a recorder stands; what operators see of it is made of this. */
export interface RecorderState {
  /** Records in memory, those being written included. */
  readonly queued: number;
  /** Records in spill files that are in memory no more. */
  readonly spilled: number;
  /** Since when the database takes no records; null while it does. */
  readonly degradedSince: Date | null;
  /** Since when the disk takes no records, so that those in memory would be lost with the process; null while it does. */
  readonly diskRefusedSince: Date | null;
  /** Records that are gone: torn by a crash, or refused by memory, disk and database alike. */
  readonly lost: number;
  /** Files with records that could not be read; they are left for the next start. */
  readonly unreadable: number;
  /** Records set aside in `rejected-*.jsonl`, because the database refuses what is in them. */
  readonly rejected: number;
}
