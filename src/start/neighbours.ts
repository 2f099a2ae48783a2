// What this program has to know to believe Open WebUI behind it, and a Toolgate in front of it.
import type { Config } from '../config.ts';
import { createSessionCheck, type SessionCheck } from '../identity/index.ts';
import { systemClock as clock } from '../platform/clock.ts';
import type { Closing } from '../platform/closing.ts';
import { AppError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { openRedisLink } from '../platform/redis/link.ts';

interface Surroundings {
  readonly config: Config;
  readonly log: Log;
  readonly closing: Closing;
}

/** What identity is told of both. Throws for settings that do not go together. */
export async function surroundingsOf({ config, log, closing }: Surroundings): Promise<{
  sessionCheck: SessionCheck | undefined;
  gatewayInFront: { url: string; audience: string } | undefined;
}> {
  const inFront = gatewayInFront(config);
  const { WEBUI_SECRET_KEY: secret, OPEN_WEBUI_REDIS_URL: url, OPEN_WEBUI_REDIS_PREFIX: prefix } = config;
  if (secret === undefined || config.OPEN_WEBUI_URL === undefined)
    return { sessionCheck: undefined, gatewayInFront: inFront };
  if (url === undefined)
    throw wrong(
      'WEBUI_SECRET_KEY needs OPEN_WEBUI_REDIS_URL, the REDIS_URL of Open WebUI: without it, sessions that have ended would go on counting. Leave out both and Open WebUI is asked.',
    );
  const redis = await openRedisLink(url, { purpose: 'sessions of Open WebUI', log, clock });
  closing.keep('Redis of Open WebUI', redis);
  return { sessionCheck: createSessionCheck({ secret, redis, prefix }), gatewayInFront: inFront };
}

function gatewayInFront(config: Config): { url: string; audience: string } | undefined {
  const { API_GATEWAY_MODE: isOn, API_GATEWAY_URL: url, API_GATEWAY_AUDIENCE: audience } = config;
  if (!isOn) return undefined;
  if (url === undefined || audience === undefined)
    throw wrong(
      'API_GATEWAY_MODE needs API_GATEWAY_URL, where the Toolgate in front is reached, and API_GATEWAY_AUDIENCE, where that one reaches this one.',
    );
  return { url, audience: audienceOf(audience) };
}

function wrong(message: string): AppError {
  return new AppError('config_invalid', 422, message);
}

/** Who a signature is for: the address without a path. */
export function audienceOf(url: string): string {
  return new URL(url).origin;
}
