import cluster from 'node:cluster';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { createLog } from '../log.ts';
import { Primary } from './primary.ts';

const workerSide = new URL('worker.ts', import.meta.url).href;
const folder = temporaryFolder({
  'serves.mjs': `
    import { openWorkerSide } from ${JSON.stringify(workerSide)};
    const { link, placement } = await openWorkerSide();
    link.answer('stop', () => process.exit(0));
    await link.ask('serving', 'worker ' + placement.number, 30_000);`,
  // Loads until it is told to go on, and hears no signal.
  'loads.mjs': `
    import { existsSync, writeFileSync } from 'node:fs';
    import { openWorkerSide } from ${JSON.stringify(workerSide)};
    process.on('SIGTERM', () => undefined);
    writeFileSync('loads-began', '');
    while (!existsSync('loads-on')) await new Promise((resolve) => setTimeout(resolve, 10));
    await openWorkerSide().catch(() => process.exit(1));
    writeFileSync('loads-has-its-place', '');
    setInterval(() => undefined, 1_000);`,
  // Has its place, and does not serve yet.
  'boots.mjs': `
    import { writeFileSync } from 'node:fs';
    import { ignoreSignals, openWorkerSide } from ${JSON.stringify(workerSide)};
    await openWorkerSide();
    ignoreSignals();
    writeFileSync('boots-began', '');
    setInterval(() => undefined, 1_000);`,
  // Hears neither signals nor what it is told.
  'hangs.mjs': `
    import { writeFileSync } from 'node:fs';
    process.on('SIGTERM', () => undefined);
    writeFileSync('hangs-began', '');
    while (true);`,
  // Asks for its place, and says that it serves, only when it should stop.
  'asks.mjs': `
    import { writeFileSync } from 'node:fs';
    const answers = [];
    process.on('message', (wire) => {
      if (wire.kind === 'question') {
        process.send({ kind: 'question', id: 1, topic: 'placement', value: null });
        process.send({ kind: 'question', id: 2, topic: 'serving', value: 'late' });
      }
      if (wire.kind === 'answer') answers.push(wire.ok);
      if (answers.length < 2) return;
      writeFileSync('asks-heard', JSON.stringify(answers));
      process.exit(0);
    });
    process.on('SIGTERM', () => undefined);
    writeFileSync('asks-began', '');
    setInterval(() => undefined, 1_000);`,
  'stays.mjs': `
    import { openWorkerSide } from ${JSON.stringify(workerSide)};
    const { link } = await openWorkerSide();
    link.answer('stop', () => undefined);
    await link.ask('serving', 'stays', 30_000);
    setInterval(() => undefined, 1_000);`,
});
const inFolder = (name: string) => path.join(folder, name);

const open: Primary[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  cluster.setupPrimary({ cwd: folder });
  for (const primary of open.splice(0)) await primary.close();
});

function primaryOf(count: number): Primary {
  const primary = new Primary({
    count,
    placementOf: (number) => ({ number }),
    answers: {},
    log: createLog('silent'),
    pause: { first: 20, longest: 100 },
  });
  open.push(primary);
  cluster.setupPrimary({ cwd: folder, execArgv: [] });
  return primary;
}

async function started(): Promise<Primary> {
  const primary = primaryOf(2);
  expect(await primary.start({ exec: `${folder}/serves.mjs`, args: [] })).toBe('worker 1');
  return primary;
}

const killOne = (primary: Primary) => process.kill(primary.pids[0]!, 'SIGKILL');
const serving = (primary: Primary, count: number) =>
  expect.poll(() => primary.standing().serving, { timeout: 20_000 }).toBe(count);

test('one that dies is started again', async () => {
  const primary = await started();
  killOne(primary);
  await serving(primary, 1);
  await serving(primary, 2);
  expect(primary.standing().since).toBeNull();
});

test('one for which the system has no process at the moment is started once it has', async () => {
  const primary = await started();
  const fork = vi.spyOn(cluster, 'fork');
  // Where it cannot be started, which the system says in the same way as that there are too many.
  cluster.setupPrimary({ cwd: `${folder}/not-there` });
  killOne(primary);
  await expect.poll(() => fork.mock.calls.length, { timeout: 20_000 }).toBeGreaterThan(2);
  expect(primary.standing()).toMatchObject({ serving: 1, since: expect.any(Date) });
  cluster.setupPrimary({ cwd: folder });
  await serving(primary, 2);
});

test('one whose start fails at once is tried again', async () => {
  const primary = await started();
  const fork = vi.spyOn(cluster, 'fork').mockImplementation(() => {
    throw new Error('spawn ENOMEM');
  });
  killOne(primary);
  await expect.poll(() => fork.mock.calls.length, { timeout: 20_000 }).toBeGreaterThan(2);
  expect(primary.standing().serving).toBe(1);
  fork.mockRestore();
  await serving(primary, 2);
});

test('a first start that fails is told to whoever asked for it', async () => {
  const primary = new Primary({
    count: 2,
    placementOf: (number) => ({ number }),
    answers: {},
    log: createLog('silent'),
  });
  open.push(primary);
  cluster.setupPrimary({ cwd: `${folder}/not-there`, execArgv: [] });
  const start = primary.start({ exec: `${folder}/serves.mjs`, args: [] });
  await expect(start).rejects.toMatchObject({ code: 'worker_failed' });
});

describe('asked to stop', () => {
  const untilGone = (pid: number) => expect.poll(() => isRunning(pid), { timeout: 20_000 }).toBe(false);
  const isRunning = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  /** A primary whose only worker has begun, and is not ready. */
  const beginning = async (name: string) => {
    const primary = primaryOf(1);
    const start = primary.start({ exec: inFolder(`${name}.mjs`), args: [] }).catch((error) => error);
    await expect.poll(() => existsSync(inFolder(`${name}-began`)), { timeout: 20_000 }).toBe(true);
    return { primary, start, pid: primary.pids[0]! };
  };
  const notStarted = { code: 'worker_failed' };

  test('while a worker loads, it is given no place', async () => {
    const { primary, start, pid } = await beginning('loads');
    const closed = primary.close();
    writeFileSync(inFolder('loads-on'), '');
    await closed;
    expect(await start).toMatchObject(notStarted);
    expect(isRunning(pid)).toBe(false);
    expect(existsSync(inFolder('loads-has-its-place'))).toBe(false);
  });

  test('while a worker puts things in place, it just ends', async () => {
    const { primary, start } = await beginning('boots');
    const ended = once(cluster, 'exit');
    await primary.close();
    expect(await start).toMatchObject(notStarted);
    const [, code] = await ended;
    expect(code).toBe(0);
  });

  test('one that asks for its place, or says that it serves, hears no', async () => {
    const { primary, start } = await beginning('asks');
    await primary.close();
    expect(await start).toMatchObject(notStarted);
    expect(JSON.parse(readFileSync(inFolder('asks-heard'), 'utf8'))).toEqual([false, false]);
    expect(primary.standing().serving).toBe(0);
  });

  test('one that is not ready and hears nothing is killed', async () => {
    const { primary, start, pid } = await beginning('hangs');
    await primary.close();
    expect(await start).toMatchObject(notStarted);
    await untilGone(pid);
  });

  test('one that serves and does not end is killed before the time is over', async () => {
    const primary = primaryOf(1);
    await primary.start({ exec: inFolder('stays.mjs'), args: [] });
    const pid = primary.pids[0]!;
    await primary.close(1_000);
    await untilGone(pid);
  });
});
