import { z } from 'zod';

/**
 * Whether the token says that it is for this address alone: a token endpoint may ignore `resource` (RFC 8707 2), and
 * then gives a token that counts at everybody's server. What nobody can read says nothing. Its signature is of no
 * matter: it came from the token endpoint itself.
 */
export function isBoundTo(token: string, address: string | null): boolean {
  const wanted = URL.parse(address ?? '')?.href;
  const audiences = audiencesOf(token);
  return (
    wanted !== undefined && audiences.length > 0 && audiences.every((one) => URL.parse(one)?.href === wanted)
  );
}

const audience = z.object({ aud: z.union([z.string(), z.array(z.string())]) });

function audiencesOf(token: string): string[] {
  const [, payload = ''] = token.split('.');
  try {
    const found = audience.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
    return [found.aud].flat();
  } catch {
    // No JWT, or one for nobody in particular.
    return [];
  }
}
