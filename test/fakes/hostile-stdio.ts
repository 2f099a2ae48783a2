// An MCP server over stdio that behaves as badly as it is told to:
// `node test/fakes/hostile-stdio.ts <kind> [option=value …]`, kinds in hostile/kinds.ts and below.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { FakeServer } from './hostile/fake-server.ts';
import { kindNamed } from './hostile/kinds.ts';
import { numberOption, type RpcMessage, type RpcRequest, type Wire } from './hostile/wire.ts';

/** Nothing that a test forgets to kill stays longer than this. */
const longestLife = 120_000;

/** Kinds that only a process can be. All but the first then serve like `ok`. */
const starts: Readonly<Record<string, (options: URLSearchParams) => void | Promise<void>>> = {
  exits: () => {
    process.stderr.write('I do not feel like serving.\n');
    process.exit(3);
  },
  'floods-stderr': (options) => void flood(numberOption(options, 'bytes', 1024 ** 3)),
  'ignores-sigterm': () => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
    // The grandchild keeps the pipes open; its process id is seen through the tool `whoami`.
    const nap = `setTimeout(() => {}, ${longestLife})`;
    const grandchild = spawn(process.execPath, ['-e', nap], { stdio: 'inherit' });
    process.env['GRANDCHILD_PID'] = String(grandchild.pid);
    setTimeout(() => process.exit(0), longestLife);
  },
};

const [name = 'ok', ...rest] = process.argv.slice(2);
const options = new URLSearchParams(rest.join('&'));
const start = starts[name];
const kind = kindNamed(start ? 'ok' : name);
if (!kind) throw new Error(`There is no kind "${name}".`);
await start?.(options);
serve(new FakeServer(name, { kind, options, broadcast: (message) => writeLine(JSON.stringify(message)) }));

function serve(server: FakeServer): void {
  const running = new Map<string | number, AbortController>();
  const input = createInterface({ input: process.stdin });
  // The client has gone: so goes an honest process.
  process.stdout.on('error', () => process.exit(0));
  input.on('close', () => {
    server.close();
    for (const one of running.values()) one.abort();
  });
  input.on('line', (line) => {
    const message = JSON.parse(line) as RpcMessage;
    const { id, method } = message;
    if (method === 'notifications/cancelled') {
      const params = message['params'] as { requestId: string | number } | undefined;
      if (params) running.get(params.requestId)?.abort();
    }
    if (typeof method !== 'string' || id === undefined) return server.take(message);
    const request = message as unknown as RpcRequest;
    const controller = new AbortController();
    running.set(request.id, controller);
    server.answer(request, stdioWire(controller.signal)).then(
      () => running.delete(request.id),
      (error: unknown) => {
        running.delete(request.id);
        if (!controller.signal.aborted) throw error;
      },
    );
  });
}

function stdioWire(signal: AbortSignal): Wire {
  return {
    signal,
    seen: process.env as Record<string, string>,
    status: 200,
    sendText: writeLine,
    sendBytes: async (text) => {
      if (!process.stdout.write(text)) await once(process.stdout, 'drain', { signal }).catch(() => {});
      // Without this an always empty pipe would keep the loop from ever seeing its input.
      await wait(0);
    },
    breakOff: () => void process.stdout.write('', () => process.exit(0)),
    crash: () => process.exit(1),
  };
}

function writeLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function flood(bytes: number): Promise<void> {
  const chunk = `${'noise '.repeat(11_000)}\n`;
  let over = false;
  process.stdin.once('close', () => {
    over = true;
  });
  for (let sent = 0; sent < bytes && !over; sent += chunk.length) {
    if (!process.stderr.write(chunk)) await once(process.stderr, 'drain');
    await wait(0);
  }
}
