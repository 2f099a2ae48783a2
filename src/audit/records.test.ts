import { expect, onTestFinished, test } from 'vitest';
import { change, recordedWorld } from '../../test/audit-world.ts';
import { httpReceiver } from '../../test/fakes/log-receivers.ts';
import { createLog } from '../platform/log.ts';
import { createNetGuard } from '../platform/net-guard.ts';
import { auditFile } from './contract.ts';
import { createRecords } from './records.ts';
import { writeAudit } from './store.ts';

const pushTo = (url: string) => auditFile.parse({ push: [{ name: 'siem', kind: 'http', url }] });

test('targets of the config file are used from when it changes, and go on where those before were', async () => {
  const database = await recordedWorld(2);
  const [first, second] = [await httpReceiver(), await httpReceiver()];
  let settings = pushTo(first.url);
  const records = createRecords({
    ...{
      database,
      log: createLog('silent'),
      clock: Date.now,
      guard: createNetGuard({ allow: ['127.0.0.0/8'] }),
    },
    ...{ secret: Buffer.alloc(32), audit: () => settings, retainDays: () => 90 },
  });
  onTestFinished(() => records.close());
  await expect.poll(() => first.bodies.length).toBe(1);
  settings = pushTo(second.url);
  await records.reload();
  await writeAudit(database.db, change());
  await expect.poll(() => second.bodies.length, { timeout: 15_000 }).toBe(1);
  expect(second.rows().map(({ chain }) => chain.seq)).toEqual([3]);
  expect(first.bodies).toHaveLength(1);
});

test('a target that fails is told of', async () => {
  const database = await recordedWorld(1);
  const receiver = await httpReceiver();
  receiver.mood = 'refuses';
  const records = createRecords({
    ...{
      database,
      log: createLog('silent'),
      clock: Date.now,
      guard: createNetGuard({ allow: ['127.0.0.0/8'] }),
    },
    ...{ secret: Buffer.alloc(32), audit: () => pushTo(receiver.url), retainDays: () => 90 },
  });
  onTestFinished(() => records.close());
  await expect.poll(() => [...records.failing().keys()]).toEqual(['push siem']);
});
