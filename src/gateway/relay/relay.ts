import type { ListNews } from './list-news.ts';
import type { SessionRelay } from './session-relay.ts';
import type { StreamRelay } from './stream-relay.ts';

/** What makes the processes of one installation look like one to a legacy client. */
export interface Relay {
  readonly sessions: SessionRelay;
  readonly streams: StreamRelay;
  readonly lists: ListNews;
}
