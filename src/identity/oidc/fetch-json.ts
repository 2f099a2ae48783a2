const timeoutMs = 5_000;
const maxBytes = 1_000_000;

/** Fetches a JSON document of an identity provider. */
export type FetchJson = (url: string) => Promise<unknown>;

/** With a deadline, a size cap and no redirects; `closed` ends what is under way. */
export function createFetchJson(doFetch: typeof fetch, closed: AbortSignal): FetchJson {
  return async (url) => {
    const response = await doFetch(url, {
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), closed]),
      redirect: 'error',
      headers: { accept: 'application/json' },
    });
    const text = await readCapped(response, url);
    if (response.status !== 200) throw new Error(`${url} answered with status ${response.status}`);
    return JSON.parse(text);
  };
}

/** The body as text. `url` is for the error. */
export async function readCapped(response: Response, url: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > maxBytes) throw new Error(`${url} answered with more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
