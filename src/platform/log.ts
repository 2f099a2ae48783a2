import { type DestinationStream, type Logger, pino } from 'pino';
import { redacted } from './redact.ts';

export type Log = Logger;

/** Keys whose values never reach a log line, wherever they stand in the first three levels, whatever they are. */
const secretKeys = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'token',
  'value',
  'apiKey',
  'headers',
  'env',
];

/**
 * JSON logs, one object a line, on standard error, so that standard output stays free for the
 * start banner. `level` is a pino level name.
 */
export function createLog(level: string, destination?: DestinationStream): Log {
  const redact = secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);
  const options = {
    level,
    redact: { paths: redact, censor: '[redacted]' },
    // Texts of errors, addresses and whatever else holds a secret under no name of its own.
    hooks: { streamWrite: redacted },
    base: {},
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination ?? pino.destination({ fd: 2, sync: false }));
}
