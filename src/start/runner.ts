// The role `runner`: environment -> what the system offers -> listen -> shut down. It loads neither the database nor
// anything that opens a secret; a test holds it to that.
import { readdirSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import type { Server } from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import { commandsOfFile } from '../catalog/entries/index.ts';
import { environmentSchema } from '../config-schema.ts';
import { createRunner, greeting, type Runner } from '../gateway/runner/index.ts';
import { Closing, closeOnSignals } from '../platform/closing.ts';
import { AppError } from '../platform/errors.ts';
import { listen } from '../platform/http/listen.ts';
import { createHttpServer } from '../platform/http/server.ts';
import { createLog, type Log } from '../platform/log.ts';
import { check, formatPath } from '../platform/mistakes.ts';
import { onParentGone } from '../platform/parent-pipe.ts';
import { projectDir } from './program.ts';

/** What of the environment concerns a runner; the rest may be the gate's, whose file it shares. */
const runnerEnvironment = environmentSchema.pick({
  TOOLGATE_CONFIG: true,
  TOOLGATE_DATA_DIR: true,
  TOOLGATE_MASTER_KEY_FILE: true,
  TOOLGATE_RUNNER_KEY: true,
  TOOLGATE_RUNNER_LISTEN: true,
  TOOLGATE_RUNNER_USER: true,
  TOOLGATE_RUNNER_WALLS: true,
  TOOLGATE_RUNNER_CGROUPS: true,
  TOOLGATE_RUNNER_PROCESSES: true,
  TOOLGATE_RUNNER_KEEP_DAYS: true,
  DEBUG: true,
});
type Settings = z.output<typeof runnerEnvironment>;

/** `toolgate runner`, and with `--child` the one that a gate starts for itself. */
export async function runner(): Promise<void> {
  const settings = readSettings();
  const log = createLog(settings.DEBUG ? 'debug' : 'info').child({ part: 'runner' });
  const isChild = process.argv.includes('--child');
  const { key, socketPath } = isChild ? await greeted() : { key: ownKey(settings), socketPath: null };
  // Servers are not to find it where they could look.
  delete process.env['TOOLGATE_RUNNER_KEY'];
  const closing = new Closing(log);
  // Whoever goes while this starts would leave it behind.
  if (isChild) onParentGone(process.env, () => leave(closing));
  const made = closing.keep('servers', await createRunner(runnerSettings(settings, key), log), 'own');
  const server = serverOf(made, log);
  closing.add('listener', () => stop(server));
  const port = await listenAt(server, isChild ? { socketPath } : settings.TOOLGATE_RUNNER_LISTEN);
  if (isChild) return void process.stdout.write(`${JSON.stringify({ port })}\n`);
  process.stdout.write(`${told(made, port, settings)}\n`);
  return closeOnSignals(closing);
}

function readSettings(): Settings {
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''));
  const checked = check(runnerEnvironment, given);
  if (checked.ok) return checked.value;
  const mistakes = checked.mistakes.map((one) => `${formatPath(one.path)}: ${one.message}`);
  throw new AppError(
    'config_invalid',
    422,
    ['The configuration of the runner is wrong:', ...mistakes].join('\n'),
  );
}

/** The gate says the key on standard input: neither arguments nor an environment show it to anybody. */
async function greeted(): Promise<z.infer<typeof greeting>> {
  for await (const line of createInterface({ input: process.stdin })) return greeting.parse(JSON.parse(line));
  throw new AppError('runner_key_missing', 500, 'The gate that started this runner has said no key.');
}

function ownKey({ TOOLGATE_RUNNER_KEY: key }: Settings): string {
  if (key !== undefined) return key;
  const message =
    'A runner needs TOOLGATE_RUNNER_KEY, the same as the gate: make one with "openssl rand -base64 32".';
  throw new AppError('runner_key_missing', 422, message);
}

function runnerSettings(settings: Settings, key: string): Parameters<typeof createRunner>[0] {
  const walls = settings.TOOLGATE_RUNNER_WALLS;
  return {
    key,
    configFile: path.resolve(settings.TOOLGATE_CONFIG),
    dataDir: path.resolve(settings.TOOLGATE_DATA_DIR),
    hidden: hiddenFiles(settings),
    searched: [
      path.join(projectDir, 'node_modules', '.bin'),
      path.dirname(process.execPath),
      ...(process.env['PATH'] ?? '').split(path.delimiter),
    ].filter(Boolean),
    system: {
      walls: walls === 'auto' ? undefined : walls,
      user: settings.TOOLGATE_RUNNER_USER,
      cgroups: settings.TOOLGATE_RUNNER_CGROUPS,
    },
    maxProcesses: settings.TOOLGATE_RUNNER_PROCESSES,
    keepDays: settings.TOOLGATE_RUNNER_KEEP_DAYS,
    pinnedCommands: commandsOfFile(path.resolve(settings.TOOLGATE_CONFIG)),
  };
}

/** Beside the config file and in the folder of the program there are often files that are sourced for their secrets. */
function hiddenFiles(settings: Settings): string[] {
  const folders = [path.dirname(path.resolve(settings.TOOLGATE_CONFIG)), projectDir, process.cwd()];
  const sourced = [...new Set(folders)].flatMap((folder) =>
    namesIn(folder)
      .filter((name) => /^\.env(?:\.|$)/.test(name) && name !== '.env.example')
      .map((name) => path.join(folder, name)),
  );
  const keys = settings.TOOLGATE_MASTER_KEY_FILE;
  return keys === undefined ? sourced : [...sourced, path.resolve(keys)];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Not there, so nothing of it has to be hidden.
  }
}

function serverOf({ mount }: Runner, log: Log): Server {
  const guard = {
    // No page has any business here.
    check: (_host: string | undefined, origin: string | undefined) =>
      origin === undefined
        ? ({ ok: true, headers: [] } as const)
        : ({ ok: false, message: 'A runner takes no requests of web pages.' } as const),
  };
  return createHttpServer({ mounts: [mount], guard, limit: () => 0, log });
}

async function listenAt(
  server: Server,
  where: { readonly socketPath: string | null } | { readonly host: string; readonly port: number },
): Promise<number | null> {
  if ('host' in where) return listen(server, where.host, where.port);
  const { socketPath } = where;
  if (socketPath === null) return listen(server, '127.0.0.1', 0);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  await chmod(socketPath, 0o600);
  return null;
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** The gate has gone, on purpose or not: its servers go, and so does this. */
function leave(closing: Closing): void {
  setTimeout(() => process.exit(1), 9_000).unref();
  closing.close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
}

function told(
  { inForce }: Runner,
  port: number | null,
  { TOOLGATE_RUNNER_LISTEN: { host } }: Settings,
): string {
  const rows = inForce.map(({ feature, state, how }) => `  ${state.padEnd(6)} ${feature}: ${how}`);
  return ['', `The runner listens at ${host}:${port}. What holds servers here:`, ...rows, ''].join('\n');
}
