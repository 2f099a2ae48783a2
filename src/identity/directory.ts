import type { Snapshot } from '../access/index.ts';

/**
 * The part of the snapshot that tells who people are. What was decided from one object is decided anew when
 * another one comes.
 */
export type Directory = Pick<Snapshot, 'members' | 'memberByIdentity' | 'groups' | 'groupsByExternalId'>;
