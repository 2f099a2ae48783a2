import { isObject } from './message.ts';
import { meta } from './protocol.ts';

/** From the most to the least verbose (server/utilities/logging.mdx). */
export const logLevels = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
] as const;
export type LogLevel = (typeof logLevels)[number];

export function logLevelOf(value: unknown): LogLevel | undefined {
  return logLevels.find((level) => level === value);
}

/** Would somebody who asked for `wanted` get a message of `level`? Unknown levels count as the most verbose. */
export function reaches(level: unknown, wanted: LogLevel): boolean {
  const known = logLevelOf(level);
  return (known === undefined ? 0 : logLevels.indexOf(known)) >= logLevels.indexOf(wanted);
}

export function isMoreVerbose(level: LogLevel, than: LogLevel | undefined): boolean {
  return than === undefined || logLevels.indexOf(level) < logLevels.indexOf(than);
}

/** The level that a modern request asks for in its `_meta`. */
export function requestedLevel(params: Readonly<Record<string, unknown>> | undefined): LogLevel | undefined {
  const envelope = params?.['_meta'];
  return isObject(envelope) ? logLevelOf(envelope[meta.logLevel]) : undefined;
}
