// Stands in for the servers of the catalog that are processes:
// `node test/fakes/catalog-stand-in-stdio.ts <contract file> <server> <arguments of the catalog …>`.
// It serves only where it is started as the contract says, and its tools answer with what it was started with.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FakeServer } from './hostile/fake-server.ts';
import type { RpcMessage, RpcRequest, Wire } from './hostile/wire.ts';
import { standInKind } from './stand-in-tools.ts';

/** What one server wants to be started with. */
export interface ProcessContract {
  readonly at: number;
  readonly tools: readonly string[];
  /** Names of the variables that it cannot do without. */
  readonly env: readonly string[];
  /** How many arguments are its own, behind those of what fetches it. */
  readonly ownArguments: number;
  /** It ends at once, with this on stderr. */
  readonly dies?: string;
}

const [file = '', id = '', ...args] = process.argv.slice(2);
const contracts = JSON.parse(readFileSync(file, 'utf8')) as Record<string, ProcessContract>;
const contract = contracts[id];
if (!contract) leave(`There is no server ${id}.`);
if (contract.dies !== undefined) leave(contract.dies);
const missing = contract.env.filter((name) => (process.env[name] ?? '') === '');
if (missing.length > 0) leave(`Set ${missing.join(', ')} in the environment.`);
const own = contract.ownArguments === 0 ? [] : args.slice(-contract.ownArguments);
if (own.length !== contract.ownArguments) leave('Arguments are missing.');

const env = Object.fromEntries(contract.env.map((name) => [name, process.env[name]]));
const ofGate = Object.keys(process.env).filter((name) => /^(?:TOOLGATE_|DATABASE_URL|REDIS_URL)/.test(name));
const shown = JSON.stringify({ env, args: own, ofGate });
serve(
  new FakeServer(id, {
    kind: standInKind({ ...contract, modern: false }),
    options: new URLSearchParams(),
    broadcast: () => undefined,
  }),
);

function leave(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}

function serve(server: FakeServer): void {
  // The gate has gone: so goes an honest process.
  process.stdout.on('error', () => process.exit(0));
  createInterface({ input: process.stdin }).on('line', (line) => {
    const message = JSON.parse(line) as RpcMessage;
    if (typeof message['method'] !== 'string' || message['id'] === undefined) return server.take(message);
    void server.answer(message as unknown as RpcRequest, wire());
  });
}

function wire(): Wire {
  return {
    signal: new AbortController().signal,
    seen: { shown },
    status: 200,
    sendText: (text) => void process.stdout.write(`${text}\n`),
    sendBytes: async (text) => void process.stdout.write(text),
    breakOff: () => process.exit(0),
    crash: () => process.exit(1),
  };
}
