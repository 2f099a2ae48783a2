// Links that lead a person from a chat to the page where they connect an account. A link says who, where and until
// when, and opens nothing by itself: whoever follows it has to be signed in as that person.
import type { Clock } from '../../platform/clock.ts';
import type { Sealer } from '../../platform/sealer.ts';

/** What a link is for. */
export interface ConnectPlace {
  readonly user: string;
  readonly tenant: string | null;
  readonly server: string;
  /** Permissions to ask for beyond what was granted. */
  readonly scopes?: readonly string[] | undefined;
  /** The person has seen which. */
  readonly isSeen?: boolean | undefined;
}

export interface ConnectLinks {
  /** The whole URL. */
  urlFor(place: ConnectPlace): string;
  /** What a link that was made here is for; undefined for any other text. `isOver`: it was made too long ago. */
  open(sealed: string): { readonly place: ConnectPlace; readonly isOver: boolean } | undefined;
}

export const connectPath = '/gateway/connect';
/** Name of the sealed part in the query. */
export const linkParameter = 'link';

type Sealed = [string, string | null, string, number, (readonly string[])?, boolean?];

const goodForMs = 30 * 60_000;
const longest = 4_000;

export function createConnectLinks(o: { publicUrl: string; sealer: Sealer; clock: Clock }): ConnectLinks {
  const page = new URL(connectPath, o.publicUrl).href;
  return {
    urlFor({ user, tenant, server, scopes = [], isSeen = false }) {
      const until = o.clock() + goodForMs;
      const sealed = o.sealer.seal(JSON.stringify([user, tenant, server, until, scopes, isSeen]));
      return `${page}?${linkParameter}=${sealed}`;
    },
    open(sealed) {
      const text = sealed.length > longest ? undefined : o.sealer.open(sealed);
      if (text === undefined) return undefined;
      const parsed: unknown = JSON.parse(text);
      // Sealed above alone; by an older version without the last two.
      const [user, tenant, server, until, scopes = [], isSeen = false] = parsed as Sealed;
      return { place: { user, tenant, server, scopes, isSeen }, isOver: o.clock() > until };
    },
  };
}
