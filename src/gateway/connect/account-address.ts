import type { Filled } from '../../access/index.ts';
import { expandEnvironment } from '../../platform/variables.ts';
import { credentialNames } from '../../secrets/index.ts';

// A memo of a pure function, which dies with the picture.
const known = new WeakMap<Filled, { readonly address: string | null }>();

/**
 * The address that accounts are bound to: what tokens are asked for, and the only place that they go to. The
 * authorization server is told it, and the server chooses that one, so an address that holds a key or a value of the
 * gate's environment is none: null.
 */
export function accountAddress(filled: Filled): string | null {
  const found = known.get(filled) ?? { address: read(filled.url ?? '') };
  known.set(filled, found);
  return found.address;
}

function read(url: string): string | null {
  let isSecret = credentialNames([url]).length > 0;
  const address = expandEnvironment(url, () => {
    isSecret = true;
    return '';
  });
  return isSecret ? null : address;
}
