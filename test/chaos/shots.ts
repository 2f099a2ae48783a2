// One request of a drill and what became of it.

export type Kind = 'mcp legacy' | 'mcp modern' | 'openapi' | 'open webui';

/**
 * `ok`: the answer that was wanted. `told`: an error that says in words what is wrong. `other`: an answer that says
 * nothing. `broken`: the connection ended without one. `hung`: nothing came for a minute.
 */
export type Ending = 'ok' | 'told' | 'other' | 'broken' | 'hung';

export interface Shot {
  readonly kind: string;
  /** Milliseconds of `performance.now()`. */
  readonly begun: number;
  readonly milliseconds: number;
  readonly ending: Ending;
  /** The id under which the gate recorded it; undefined when it did not answer. */
  readonly requestId: string | undefined;
  /** Of an error: what it said. */
  readonly said: string;
}

/** What a request came to, before it is known how long it took. */
export interface Landed {
  readonly ending: Ending;
  readonly requestId: string | undefined;
  readonly said: string;
}

const patience = 60_000;

/** Sends one request; never rejects. `wanted` says whether a text is the answer that was wanted. */
export async function shoot(
  kind: string,
  send: (signal: AbortSignal) => Promise<Response>,
  wanted: (text: string) => boolean,
): Promise<Shot> {
  const begun = performance.now();
  const signal = AbortSignal.timeout(patience);
  const landed = await send(signal)
    .then((response) => land(response, wanted))
    .catch((error: unknown): Landed => {
      const ending = signal.aborted ? 'hung' : 'broken';
      return { ending, requestId: undefined, said: String((error as Error).cause ?? error) };
    });
  return { kind, begun, milliseconds: performance.now() - begun, ...landed };
}

async function land(response: Response, wanted: (text: string) => boolean): Promise<Landed> {
  const requestId = response.headers.get('x-request-id') ?? undefined;
  const text = await response.text();
  const message = messageIn(text);
  if (response.ok && message === undefined && wanted(text)) return { ending: 'ok', requestId, said: '' };
  if (message !== undefined) return { ending: 'told', requestId, said: message };
  return { ending: 'other', requestId, said: `${response.status} ${text.slice(0, 200)}` };
}

/** What an answer says is wrong: of a tool's result, of JSON-RPC, or of HTTP. */
function messageIn(text: string): string | undefined {
  const body = parsed(/^data: (\{.+)$/m.exec(text)?.[1] ?? text);
  const { result, error, detail } = (body ?? {}) as {
    result?: { isError?: boolean; content?: { text?: string }[] };
    error?: { message?: string };
    detail?: { message?: string };
  };
  if (result?.isError === true) return result.content?.map((part) => part.text).join(' ');
  return error?.message ?? detail?.message;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A page, or nothing at all.
  }
}

/** How many of them ended in each way, and how long they took. */
export function tally(shots: readonly Shot[]) {
  const times = shots.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  const count = (ending: Ending) => shots.filter((shot) => shot.ending === ending).length;
  return {
    ...{ calls: shots.length, ok: count('ok'), told: count('told'), other: count('other') },
    ...{ broken: count('broken'), hung: count('hung') },
    p99: times[Math.min(times.length - 1, Math.floor(times.length * 0.99))] ?? 0,
    slowest: times.at(-1) ?? 0,
  };
}

/** Distinct texts of errors, for whoever wants to know why a drill failed. */
export function sayings(shots: readonly Shot[]): string[] {
  const failed = shots.filter(({ ending }) => ending !== 'ok');
  return [...new Set(failed.map(({ kind, ending, said }) => `${kind}, ${ending}: ${said}`))].slice(0, 20);
}
