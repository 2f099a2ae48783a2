import { type Call, type Gate, principalOf } from '../call.ts';
import { resultPageGone } from '../refusals.ts';
import type { PageRef, Reader } from './result-pages.ts';

/** `resources/read` of one page of a result; `authorize` has seen that the caller may call the tool. */
export async function servePage(call: Call, gate: Gate, uri: string): Promise<void> {
  const ref = gate.resultPages.open(uri);
  const found = ref && (await gate.resultPages.page(ref, readerOf(call)));
  if (!ref || !found) throw resultPageGone(uri);
  const contents = [{ uri, mimeType: 'text/plain', text: found.text }];
  if (found.page < found.pages) contents.push(next(uri, ref, found.pages));
  const modern = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' };
  call.response = {
    kind: 'local',
    rawResult: JSON.stringify({ contents, ...(call.era === 'modern' && modern) }),
  };
}

/** Who reads, as far as results are bound to it. */
export function readerOf(call: Call): Reader {
  return { principal: principalOf(call).id, tenant: call.tenant?.id ?? null };
}

/** Beside the text, so that pages put together are the text. */
function next(uri: string, { page }: PageRef, pages: number) {
  const [base = ''] = uri.split('?');
  const following = `${base}?page=${page + 1}`;
  const text = `Page ${page} of ${pages}; read on: resource ${following}`;
  return { uri: following, mimeType: 'text/plain', text };
}
