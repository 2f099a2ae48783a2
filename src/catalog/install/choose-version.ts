import type { ServerOrigin } from '../../access/contract.ts';
import { AppError } from '../../platform/errors.ts';
import type { Way } from '../contract.ts';
import { registryUnavailable, strangeAnswer, versionInvalid, versionNotNeeded } from '../errors.ts';
import type { Found } from '../registries/found.ts';
import type { Registries } from '../registries/registries.ts';
import { isExact } from './launch.ts';

type StdioWay = Extract<Way, { type: 'stdio' }>;

/** What is fetched, and how sure that is. */
export type ChosenVersion = Pick<ServerOrigin, 'package' | 'version' | 'digest' | 'pinned'>;

const nothingFetched: ChosenVersion = { package: null, version: null, digest: null, pinned: null };

/**
 * The exact version of a way: the one that is given, else the entry's, else the newest one of the registry. Throws
 * AppErrors that say what to do.
 */
export async function chooseVersion(
  registries: Pick<Registries, 'find'>,
  way: Way,
  given: string | undefined,
): Promise<ChosenVersion> {
  const isFetched = way.type === 'stdio' && !way.serves && way.runtime !== 'binary';
  if (!isFetched) {
    if (given !== undefined) throw versionNotNeeded();
    if (way.type !== 'stdio' || way.serves) return nothingFetched;
    return { ...nothingFetched, package: way.package, pinned: 'not-pinned' };
  }
  const chosen = await (given === undefined ? ofEntry(registries, way) : ofCaller(registries, way, given));
  const exact = isExact(way.runtime, { version: chosen.version, digest: chosen.digest });
  if (!exact) throw strangeAnswer('the registry', way.package);
  return { package: way.package, ...chosen };
}

async function ofEntry(registries: Pick<Registries, 'find'>, way: StdioWay) {
  if (way.version === undefined) {
    const found = await registries.find(fetchedBy(way), way.package);
    return { ...found, pinned: 'at-install' as const };
  }
  const stated = { version: way.version, digest: way.integrity ?? null, pinned: 'verified' as const };
  // A tag can move: what it stands for at this moment is kept, where somebody can say.
  if (way.runtime !== 'docker' || stated.digest !== null) return stated;
  return { ...stated, ...(await ifReachable(registries, way, way.version)) };
}

async function ofCaller(registries: Pick<Registries, 'find'>, way: StdioWay, given: string) {
  const named = { version: given, digest: null };
  const isFine = isExact(way.runtime, named);
  if (!isFine && way.runtime !== 'docker') throw versionInvalid(way.package);
  // A digest is exact by itself; any other version the registry is asked about, where it can be reached.
  if (given.startsWith('sha256:')) return { ...named, pinned: 'given' as const };
  const found = await ifReachable(registries, way, given);
  // Of a tag such as `latest` only the digest says what it is.
  if (found === undefined && !isFine) throw registryUnavailable('', way.package, undefined);
  return { ...named, ...found, pinned: 'given' as const };
}

async function ifReachable(
  registries: Pick<Registries, 'find'>,
  way: StdioWay,
  version: string,
): Promise<Found | undefined> {
  try {
    return await registries.find(fetchedBy(way), way.package, version);
  } catch (error) {
    if (error instanceof AppError && unanswered.includes(error.code)) return undefined;
    throw error;
  }
}

const unanswered: readonly string[] = ['registry_unavailable', 'registry_answer_strange'];

function fetchedBy({ runtime }: StdioWay): Exclude<StdioWay['runtime'], 'binary'> {
  if (runtime === 'binary') throw new Error('a program of the machine is fetched from nowhere');
  return runtime;
}
