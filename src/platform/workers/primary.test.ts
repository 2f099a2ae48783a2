import cluster from 'node:cluster';
import { afterEach, expect, test, vi } from 'vitest';
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
});

const open: Primary[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  cluster.setupPrimary({ cwd: folder });
  for (const primary of open.splice(0)) await primary.close();
});

async function started(): Promise<Primary> {
  const primary = new Primary({
    count: 2,
    placementOf: (number) => ({ number }),
    answers: {},
    log: createLog('silent'),
    pause: { first: 20, longest: 100 },
  });
  open.push(primary);
  cluster.setupPrimary({ cwd: folder, execArgv: [] });
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
