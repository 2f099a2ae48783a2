// The clients, in a process of their own: does one job after the other, as it is told by messages.
import { McpClient, type Wire } from './client.ts';

/** A closed loop: every connection sends its next call when the last one is answered. */
export interface CallJob extends Wire {
  readonly kind: 'calls';
  readonly connections: number;
  readonly forMs: number;
}

/** `initialize` and every page of `tools/list`, again and again, by one user after the other. */
export interface ListJob extends Wire {
  readonly kind: 'lists';
  readonly times: number;
  readonly users: number;
  readonly tools: number;
}

/** One session for each of so many users, left open. */
export interface SessionJob extends Wire {
  readonly kind: 'sessions';
  readonly users: number;
}

export type Job = CallJob | ListJob | SessionJob;

export interface Measured {
  readonly count: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

process.on('message', (job: Job) => {
  run(job).then(
    (measured) => process.send?.({ measured }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

function run(job: Job): Promise<Measured> {
  if (job.kind === 'calls') return calls(job);
  return job.kind === 'lists' ? lists(job) : openSessions(job);
}

async function calls(job: CallJob): Promise<Measured> {
  const clients = await Promise.all(
    Array.from({ length: job.connections }, (_, i) => McpClient.connect(job, i)),
  );
  try {
    return await loop(clients, job.forMs);
  } finally {
    for (const client of clients) client.close();
  }
}

async function loop(clients: readonly McpClient[], forMs: number): Promise<Measured> {
  const times: number[] = [];
  const start = performance.now();
  const end = start + forMs;
  await Promise.all(
    clients.map(async (client) => {
      for (let at = performance.now(); at < end; ) {
        await client.call();
        const now = performance.now();
        times.push(now - at);
        at = now;
      }
    }),
  );
  return measured(times, start);
}

async function lists(job: ListJob): Promise<Measured> {
  const client = await McpClient.connect(job, 0);
  const times: number[] = [];
  try {
    await client.hello(0, job.tools);
    const start = performance.now();
    for (let i = 0; i < job.times; i++) {
      const at = performance.now();
      await client.hello(i % job.users, job.tools);
      times.push(performance.now() - at);
    }
    return measured(times, start);
  } finally {
    client.close();
  }
}

async function openSessions(job: SessionJob): Promise<Measured> {
  const client = await McpClient.connect(job, 0);
  const start = performance.now();
  for (let user = 0; user < job.users; user++) await client.initialize(user);
  client.close();
  return { ...measured([0], start), count: job.users };
}

function measured(times: readonly number[], start: number): Measured {
  const sorted = Float64Array.from(times).sort();
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { count: times.length, seconds: (performance.now() - start) / 1000, p50: at(0.5), p99: at(0.99) };
}
