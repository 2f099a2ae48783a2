// What the database computes when a record is committed (migrations/0014), computed again without it.
import { hash } from 'node:crypto';

/** The parts of a record that may hold personal data, each committed to by itself, in this order. */
export const personalParts = ['actor', 'target_id', 'before', 'after', 'request_id', 'client_ip'] as const;

type PersonalPart = (typeof personalParts)[number];

/** The text of one record, each part as it is hashed. */
export interface RecordText extends Readonly<Record<PersonalPart, string | null>> {
  readonly id: string;
  readonly timestamp: string;
  readonly action: string;
  readonly target_kind: string;
  readonly tenant_id: string | null;
}

export function commitmentOf(salt: string, part: string, value: string | null): string {
  return digestOf([salt, part, value]);
}

export function recordDigest(record: RecordText, commitments: readonly string[]): string {
  const { id, timestamp, action, target_kind: kind, tenant_id: tenant } = record;
  return digestOf(['toolgate audit 1', id, timestamp, action, kind, tenant, ...commitments]);
}

export function linkOf(previous: string, seq: number, digest: string): string {
  return digestOf([String(seq), previous, digest]);
}

/** What is left of a part, as the record of an erasure lists it. */
export function leftOf(value: string | null): string {
  return digestOf([value]);
}

/** The hash of a list of what is left, with one more. */
export function listedWith(list: string, seq: number, part: string, left: string): string {
  return digestOf([list, String(seq), part, left]);
}

/** What the first record follows, and the first of a list. */
export const beginning = hash('sha256', '', 'hex');

/** As PostgreSQL writes a JSON array of texts. */
function digestOf(parts: readonly (string | null)[]): string {
  return hash('sha256', `[${parts.map((part) => JSON.stringify(part)).join(', ')}]`, 'hex');
}
