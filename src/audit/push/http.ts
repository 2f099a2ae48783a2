import type { GuardedFetch } from '../../platform/guarded-fetch.ts';
import type { Send } from './push.ts';

/** POSTs of JSON lines. Any answer but 2xx means that they come again. */
export function httpSender(
  fetch: GuardedFetch,
  { url, bearer }: { readonly url: string; readonly bearer?: string | undefined },
): Send {
  return async (records) => {
    const body = records.map(({ type, row }) => `${JSON.stringify({ type, ...row })}\n`).join('');
    const headers = {
      'content-type': 'application/x-ndjson',
      ...(bearer && { authorization: `Bearer ${bearer}` }),
    };
    const { status } = await fetch.fetch(url, { method: 'POST', body, headers });
    if (status < 200 || status > 299) throw new Error(`the receiver answered HTTP ${status}`);
  };
}
