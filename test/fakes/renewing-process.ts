// A process of its own that renews one account and then waits to be killed. argv: a JSON of RenewingOptions.
import { systemClock } from '../../src/platform/clock.ts';
import { openDatabase, watchChanges } from '../../src/platform/db/index.ts';
import { createLog } from '../../src/platform/log.ts';
import { createNetGuard } from '../../src/platform/net-guard.ts';
import type { AccountQuestion } from '../../src/secrets/accounts/accounts.ts';
import { createAccounts } from '../../src/secrets/accounts/create-accounts.ts';
import { MasterKey } from '../../src/secrets/master-keys/master-key.ts';
import { createSecretBox } from '../../src/secrets/sealing/secret-box.ts';

export interface RenewingOptions {
  readonly databaseUrl: string;
  readonly dataDir: string;
  readonly publicUrl: string;
  /** base64 */
  readonly masterKey: string;
  readonly question: AccountQuestion;
  /** How far the clock of this process is ahead. */
  readonly ahead: number;
}

const o = JSON.parse(process.argv[2] ?? '') as RenewingOptions;
const log = createLog('silent');
const clock = () => systemClock() + o.ahead;
const database = await openDatabase({ url: o.databaseUrl, dataDir: '', log });
await database.walls.raise();
const accounts = await createAccounts({
  ...{ database, log, clock, publicUrl: o.publicUrl, dataDir: o.dataDir },
  changes: await watchChanges(database, { log, clock }),
  box: createSecretBox(new MasterKey(Buffer.from(o.masterKey, 'base64'))),
  vault: { find: () => null },
  guard: createNetGuard({ allow: ['127.0.0.1'] }),
});
console.log(await accounts.find(o.question)?.changing?.current());
