import { LRUCache } from 'lru-cache';
import { type Connector, type Sink, UpstreamError } from '../connectors/contract.ts';
import type { RpcResponse } from '../rpc/message.ts';
import { type Era, rpcCode } from '../rpc/protocol.ts';
import type { Dialer } from './dialer.ts';
import { legacyHandshake, modernHandshake, OtherEraError } from './handshake.ts';
import type { Target } from './target.ts';

/** How long "this server speaks only the other era" is believed, in milliseconds. */
const verdictTtl = 600_000;
/** The same, when the other era did not work either. */
const unprovenTtl = 10_000;
/** How often at most one server is looked at anew because of a strange answer, in milliseconds. */
const probeEvery = 30_000;
const probeTimeout = 10_000;
const mostKept = 10_000;
/** Codes that legacy servers use for "not initialized" and "no such session"; no modern server may. */
const legacyOnly: readonly number[] = [-32000, -32001];
const modernOnly: readonly number[] = [
  rpcCode.unsupportedVersion,
  rpcCode.headerMismatch,
  rpcCode.missingCapability,
];

const deaf: Sink = { onMessage: () => undefined, onClosed: () => undefined };

/** What has been found out about servers: which era each speaks, and which hide an older transport. */
export class EraVerdicts {
  /** Targets that anything was ever found out about: for the others, one look is all that a call costs. */
  readonly #suspects = new LRUCache<string, true>({ max: mostKept });
  readonly #otherEra = new LRUCache<string, Era>({ max: mostKept, ttl: verdictTtl });
  readonly #unproven = new LRUCache<string, Era>({ max: mostKept, ttl: unprovenTtl });
  readonly #sseOnly = new LRUCache<string, true>({ max: mostKept, ttl: verdictTtl });
  readonly #probes = new LRUCache<string, Promise<boolean>>({ max: mostKept, ttl: probeEvery });
  readonly #dialer: Dialer;

  constructor(dialer: Dialer) {
    this.#dialer = dialer;
  }

  /**
   * stdio servers are asked in the legacy era first: nearly all speak it, and some exit at an unknown first
   * request. The SSE transport has no other.
   */
  eraFor(target: Target, prefer: Era): Era {
    const wanted = target.server.definition.type === 'http' ? prefer : 'legacy';
    if (!this.#suspects.get(target.key)) return wanted;
    if (this.isSseOnly(target)) return 'legacy';
    return this.#otherEra.get(`${wanted}|${target.key}`) ?? wanted;
  }

  /** Which era to try first: for a moment also one that has not worked yet, so that not every call asks in both. */
  firstFor(target: Target, prefer: Era): Era {
    const era = this.eraFor(target, prefer);
    if (!this.#suspects.get(target.key)) return era;
    return this.#unproven.get(`${era}|${target.key}`) ?? era;
  }

  /** Of a server that is said to be streamable HTTP. */
  isSseOnly(target: Target): boolean {
    return this.#sseOnly.has(target.key);
  }

  /** Asked in `first`, the server spoke of `other`. */
  hinted(target: Target, first: Era, other: Era): void {
    this.#suspects.set(target.key, true);
    this.#unproven.set(`${first}|${target.key}`, other);
  }

  /** It really speaks it. */
  proved(target: Target, first: Era, other: Era): void {
    this.#suspects.set(target.key, true);
    this.#unproven.delete(`${first}|${target.key}`);
    this.#otherEra.set(`${first}|${target.key}`, other);
  }

  forget(target: Target): void {
    for (const era of ['modern', 'legacy'] as const) {
      this.#otherEra.delete(`${era}|${target.key}`);
      this.#unproven.delete(`${era}|${target.key}`);
    }
  }

  /** Could the outcome mean that? Costs nothing, for every call is asked about. */
  isTelling(target: Target, era: Era, outcome: unknown): boolean {
    if (!speaksOfOtherEra(era, outcome)) return false;
    return target.server.definition.type === 'http' && !this.isSseOnly(target);
  }

  /**
   * Has the server changed sides? Asks it anew when what it answered, or how it failed, says so: it was replaced,
   * or a proxy leads elsewhere. `outcome` is a response or what was thrown.
   */
  async hasChanged(target: Target, era: Era, outcome: unknown): Promise<boolean> {
    if (!this.isTelling(target, era, outcome)) return false;
    if (outcome instanceof OtherEraError) return true;
    return this.#probed(`${era}|${target.key}`, async () => {
      const error = await this.#shake(target, era, undefined);
      return error instanceof OtherEraError;
    });
  }

  /** The rule for servers of 2024-11-05 (basic/transports.mdx#backwards-compatibility): refused the POST, takes the GET. */
  async isOldTransport(target: Target, error: unknown): Promise<boolean> {
    const refused =
      error instanceof UpstreamError &&
      [400, 404, 405].includes(error.status ?? 0) &&
      !this.isSseOnly(target);
    if (!refused || target.server.definition.type !== 'http') return false;
    const found = await this.#probed(`sse|${target.key}`, async () => {
      return (await this.#shake(target, 'legacy', 'sse')) === undefined;
    });
    if (found) {
      this.#suspects.set(target.key, true);
      this.#sseOnly.set(target.key, true);
    }
    return found;
  }

  /** Everyone who has the same doubt shares one look. */
  #probed(key: string, probe: () => Promise<boolean>): Promise<boolean> {
    const running = this.#probes.get(key);
    if (running) return running;
    const started = probe();
    this.#probes.set(key, started);
    return started;
  }

  /** Resolves with what went wrong; undefined: the server speaks that era. */
  async #shake(target: Target, era: Era, transport: 'sse' | undefined): Promise<unknown> {
    let connector: Connector | undefined;
    try {
      connector = this.#dialer.open(target, deaf, transport);
      const shake = era === 'modern' ? modernHandshake : legacyHandshake;
      await shake(connector, '{}', AbortSignal.timeout(probeTimeout));
      return undefined;
    } catch (error) {
      return error;
    } finally {
      await connector?.close();
    }
  }
}

function speaksOfOtherEra(era: Era, outcome: unknown): boolean {
  if (outcome instanceof OtherEraError) return true;
  // An answer that was of no use comes along as the cause.
  if (outcome instanceof UpstreamError && outcome.kind === 'protocol')
    return speaksOfOtherEra(era, outcome.cause);
  if (outcome instanceof UpstreamError) return outcome.kind === 'http_status' && is4xx(outcome.status);
  const code = (outcome as RpcResponse | undefined)?.error?.code; // hasChanged() gets responses and errors
  if (code === undefined) return false;
  const telling = era === 'modern' ? [...legacyOnly, rpcCode.unsupportedVersion] : modernOnly;
  return code === rpcCode.methodNotFound || telling.includes(code);
}

function is4xx(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500;
}
