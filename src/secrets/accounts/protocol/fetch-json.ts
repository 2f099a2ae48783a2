import { FetchFailed, type GuardedFetch } from '../../../platform/guarded-fetch.ts';

/**
 * A metadata document, or undefined where there is none: another status than 200, or no JSON. Rejects with a
 * FetchFailed when the host gives no answer at all, or may not be asked.
 */
export async function fetchJson(
  { fetch }: Pick<GuardedFetch, 'fetch'>,
  url: string,
  trustedOrigin: string | null,
): Promise<unknown> {
  try {
    const response = await fetch(url, { headers: { accept: 'application/json' }, trustedOrigin });
    return response.status === 200 ? parsed(await response.text()) : undefined;
  } catch (error) {
    // A page of another kind, which is the same as none.
    if (error instanceof FetchFailed && (error.kind === 'too_large' || error.kind === 'protocol'))
      return undefined;
    throw error;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Many hosts answer 200 with a page for every path.
    return undefined;
  }
}
