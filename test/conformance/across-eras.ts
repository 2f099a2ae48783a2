// A table: scenarios that no gate can carry from one era to the other, and why. A scenario that is not here must end
// as it does without a gate; one that is here and does so all the same is taken out.

/** Which side speaks which era: `client-server`. */
export type Cell = 'legacy-legacy' | 'legacy-modern' | 'modern-legacy' | 'modern-modern';

export const cells: readonly Cell[] = ['legacy-legacy', 'modern-modern', 'legacy-modern', 'modern-legacy'];

/** Scenario -> why its result changes. */
export const explained: Readonly<Record<Cell, Readonly<Record<string, string>>>> = {
  'legacy-legacy': {},
  'modern-modern': {},
  'legacy-modern': {
    'server-sse-polling':
      'The server must close the stream of a call half-way and go on with it later. Streams of the modern era have no event ids and cannot be resumed, so a modern server never does that.',
  },
  'modern-legacy': {
    'server-stateless':
      'The tool must be refused with -32021 when the client did not declare what it needs. That error is of the modern era: a legacy server answers with a text of its own, which nothing tells from any other.',
    'input-required-result-basic-elicitation':
      'The question must stand under the key "user_name". Questions of the legacy era have no keys, so the gate makes them up.',
    'input-required-result-ignore-extra-params':
      'The suite sends its answer under the key "user_name", which the server never chose, as above.',
    'input-required-result-capability-check':
      'The fixture’s tool reads the modern envelope of the request to see what the client can do. A legacy server gets no envelope; it learns that from initialize.',
  },
};
