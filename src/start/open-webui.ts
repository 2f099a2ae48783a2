// Open WebUI behind this program.
import { openWebUiMount, type OpenWebUiMount, signingKeysMount } from '../gateway/index.ts';
import type { Mount } from '../platform/http/server.ts';
import type { Parts } from './build.ts';

/** Enough of a key's name to tell installations apart in `Via`. */
const viaLength = 12;

export interface OpenWebUi {
  /** Come last: Open WebUI gets what nobody else takes. */
  readonly mounts: readonly Mount[];
  /** Undefined where there is none. */
  readonly behind: OpenWebUiMount | undefined;
}

export function openWebUiOf({ config, identity, access, signer, gateway, closing, file }: Parts): OpenWebUi {
  const { OPEN_WEBUI_URL: url, PUBLIC_URL: publicUrl } = config;
  if (url === undefined) return { mounts: [signingKeysMount(signer)], behind: undefined };
  const behind = openWebUiMount({
    ...{ gate: gateway.gate, live: access.live, url, publicUrl },
    visitors: {
      visitorOf: (token, clientIp) => identity.visitorOf(token, clientIp),
      forget: (token) => identity.forgetVisitor(token),
      sign: (facts) => signer.headers(facts),
    },
    via: `toolgate-${signer.keyId.slice(0, viaLength)}`,
    dropped: () => file().identity.openWebUi.stripHeaders,
  });
  closing.keep('Open WebUI', behind);
  return { mounts: [signingKeysMount(signer), behind], behind };
}
