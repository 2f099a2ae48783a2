import type { Call, Gate } from '../call.ts';

/** Whether a caller sees three tools; `by-count`: when it would see more than so many. */
export type Verdict = 'meta' | 'all' | { readonly above: number };

/** The URL decides, then the settings. Tools as HTTP routes have a page of their own for each. */
export function verdictOn(call: Call, gate: Gate): Verdict {
  if (call.face !== 'stream' && call.face !== 'sse') return 'all';
  if (call.mode !== 'auto') return call.mode;
  const { always, above, exceptClients } = gate.settings.metaTools();
  if (!always && above === null) return 'all';
  const isExcepted = exceptClients.some((beginning) =>
    clientNames(call).some((name) => name.startsWith(beginning)),
  );
  if (isExcepted) return 'all';
  return always || above === null ? 'meta' : { above };
}

/** How the client is known: what the gate found it to be, what it calls itself, its `User-Agent`. */
function clientNames(call: Call): string[] {
  return [call.audience, call.clientName, call.header('user-agent')].flatMap((name) =>
    typeof name === 'string' ? [name.toLowerCase()] : [],
  );
}
