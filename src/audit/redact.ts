import { clean } from './clean.ts';

const secretKey =
  /^(?:value|sealed|cookie|set-cookie|(?:.*-)?authorization|.*(?:password|passwd|secret|token|api[-_]?key|private[-_]?key))$/i;
const secretMap = /^(?:headers|env)$/i;
const censor = '[redacted]';

/**
 * `before` or `after` of an audit entry as JSON text that may be stored: the last net under callers, who should
 * not have put a secret there to begin with. Header and environment names stay, their values go.
 */
export function auditJson(value: unknown): string | null {
  // JSON.stringify answers undefined for undefined, which its type does not say.
  const json = JSON.stringify(value, redact) as string | undefined;
  return json ?? null;
}

function redact(key: string, value: unknown): unknown {
  if (value === null || value === undefined) return value;
  if (secretKey.test(key)) return censor;
  if (typeof value === 'string') return clean(value);
  if (typeof value === 'bigint') return String(value);
  if (secretMap.test(key) && typeof value === 'object') {
    return Object.fromEntries(Object.keys(value).map((name) => [name, censor]));
  }
  return value;
}
