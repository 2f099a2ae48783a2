import { createHash } from 'node:crypto';
import { z } from 'zod';
import { noSuchVersion, strangeAnswer } from '../errors.ts';
import type { AskUrl, Found } from './found.ts';

// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

const tokenAnswer = z
  .object({ token: z.string().max(20_000) })
  .or(z.object({ access_token: z.string().max(20_000) }).transform(({ access_token: token }) => ({ token })));

/** What a tag of an image, by default `latest`, stands for at this moment. */
export async function askDocker(ask: AskUrl, image: string, wanted: string | undefined): Promise<Found> {
  const { host, repository } = placeOf(image);
  const version = wanted ?? 'latest';
  const url = `https://${host}/v2/${repository}/manifests/${version}`;
  let response = await ask(url, { accept });
  if (response.status === 401) {
    const token = await tokenFor(ask, response, { host, repository });
    response = await ask(url, { accept, authorization: `Bearer ${token}` });
  }
  // Some answer 401 to whatever they do not have, so that nobody learns what they have.
  if (response.status === 401 || response.status === 403 || response.status === 404)
    throw noSuchVersion(image, wanted);
  if (response.status !== 200) throw strangeAnswer(host, image);
  // Computed, not taken from a header: the digest is what the image will be checked against.
  const hash = createHash('sha256')
    .update(Buffer.from(await response.arrayBuffer()))
    .digest('hex');
  return { version, digest: `sha256:${hash}` };
}

/** `mcp/redis` -> Docker Hub; `ghcr.io/acme/tools` -> ghcr.io. */
function placeOf(image: string): { host: string; repository: string } {
  const [first = '', ...rest] = image.split('/');
  const isHost = rest.length > 0 && /[.:]/.test(first);
  if (isHost) return { host: first, repository: rest.join('/') };
  return { host: 'registry-1.docker.io', repository: rest.length === 0 ? `library/${image}` : image };
}

/** An anonymous token, asked for where the registry says, as long as that is the registry's own house. */
async function tokenFor(
  ask: AskUrl,
  response: Response,
  { host, repository }: { host: string; repository: string },
): Promise<string> {
  const challenge = response.headers.get('www-authenticate') ?? '';
  const part = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1];
  const realm = URL.parse(part('realm') ?? '');
  if (realm?.protocol !== 'https:' || houseOf(realm.hostname) !== houseOf(host))
    throw strangeAnswer(host, repository);
  realm.searchParams.set('scope', `repository:${repository}:pull`);
  const service = part('service');
  if (service !== undefined) realm.searchParams.set('service', service);
  const answer = await ask(realm.href, { accept: 'application/json' });
  const parsed = tokenAnswer.safeParse(await answer.json().catch(() => null));
  if (!parsed.success) throw noSuchVersion(repository, undefined);
  return parsed.data.token;
}

function houseOf(host: string): string {
  return host.replace(/:\d+$/, '').split('.').slice(-2).join('.');
}
