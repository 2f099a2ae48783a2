import { LRUCache } from 'lru-cache';
import type { LinkedIdentity } from './provisioning-store.ts';

const maxReservations = 20_000;
/** After a link was written, until it is in every snapshot. */
const settledForMs = 60_000;

/**
 * Links that are not in the snapshot yet. Without them, two accounts with one address could both come in while
 * the first link is being written.
 */
export interface Reservations {
  /** The address that this identity may use: its own reserved one, or `email` unless another identity has it. */
  reserve(identity: LinkedIdentity, email: string): string | undefined;
  /** The link was written. */
  settle(identity: LinkedIdentity, email: string): void;
  /** The link was not and will not be written. */
  cancel(identity: LinkedIdentity, email: string): void;
}

export function createReservations(): Reservations {
  const emails = new LRUCache<string, string>({ max: maxReservations });
  const subjects = new LRUCache<string, string>({ max: maxReservations });
  const bySubject = ({ issuer, subject }: LinkedIdentity) => `${issuer}\n${subject}`;
  const byEmail = ({ issuer }: LinkedIdentity, email: string) => `${issuer}\n${email}`;

  return {
    reserve(identity, email) {
      const reserved = emails.get(bySubject(identity));
      if (reserved !== undefined) return reserved;
      const holder = subjects.get(byEmail(identity, email));
      if (holder !== undefined && holder !== identity.subject) return undefined;
      emails.set(bySubject(identity), email);
      subjects.set(byEmail(identity, email), identity.subject);
      return email;
    },
    settle(identity, email) {
      emails.set(bySubject(identity), email, { ttl: settledForMs });
      subjects.set(byEmail(identity, email), identity.subject, { ttl: settledForMs });
    },
    cancel(identity, email) {
      emails.delete(bySubject(identity));
      if (subjects.get(byEmail(identity, email)) === identity.subject)
        subjects.delete(byEmail(identity, email));
    },
  };
}
