import type { IdentitySigner } from '../../identity/index.ts';
import type { Mount } from '../../platform/http/server.ts';
import { sendJson } from '../../platform/http/server.ts';

const path = '/gateway/jwks.json';

/** The public keys that signatures of the gate are checked with. Everybody may read them. */
export function signingKeysMount({ keys }: IdentitySigner): Mount {
  return {
    takes: (asked) => asked === path,
    serve(req, res) {
      if (req.method !== 'GET' && req.method !== 'HEAD')
        return void res.writeHead(405, { allow: 'GET' }).end();
      return sendJson(res, 200, keys, { 'cache-control': 'public, max-age=300' });
    },
  };
}
