import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  accountsDatabase,
  alice,
  bob,
  box,
  connect,
  masterKey,
  oauthServer,
  openAccounts,
  questionOf,
} from '../../../test/accounts-world.ts';
import { MasterKey } from '../master-keys/master-key.ts';
import { createSecretBox, type SecretBox } from '../sealing/secret-box.ts';
import { readAccount } from './accounts-store.ts';
import { openAccount, sealAccount } from './tokens.ts';

async function connected(box?: SecretBox) {
  const database = await accountsDatabase();
  const here = await openAccounts(database, box && { box });
  const server = await oauthServer();
  const { question } = await connect(here, server);
  const { changing, id } = here.accounts.find(question)!;
  const token = await changing!.current();
  return { ...here, server, question, id, token, changing: changing!, db: database.db };
}

test('sealed anew under another master key, an account goes on as the same one', async () => {
  const { db, accounts, token, question, id } = await connected();
  const before = accounts.find(question)!;
  const row = (await readAccount(db, id))!;
  const sealed = sealAccount(box, row, openAccount(box, row, row.sealed));
  await sql`update mcp_proxy.user_accounts set sealed = ${sealed} where id = ${id}::uuid`.execute(db);
  await accounts.refresh();
  expect(accounts.find(question)).toBe(before);
  expect(before.changing!.current()).toBe(token);
});

test('an account that was moved in the database opens for nobody, none can be sent elsewhere, and both are told', async () => {
  const refused: string[] = [];
  const told = createSecretBox(new MasterKey(masterKey), ({ owner, name }, _sealed, error) =>
    refused.push(`${owner.level} ${owner.id} ${name}: ${error.message}`),
  );
  const { db, accounts, question } = await connected(told);
  await sql`update mcp_proxy.user_accounts set user_email = ${bob}`.execute(db);
  await accounts.refresh();
  await expect(accounts.find({ ...question, user: bob })!.changing!.current()).rejects.toMatchObject({
    code: 'credential_unreadable',
  });
  await sql`update mcp_proxy.user_accounts set user_email = ${alice}, resource = 'https://evil.example.com/'`.execute(
    db,
  );
  await accounts.refresh();
  const evil = { ...questionOf({ url: 'https://evil.example.com/' }) };
  await expect(accounts.find(evil)!.changing!.current()).rejects.toMatchObject({
    code: 'credential_unreadable',
  });
  expect(refused).toEqual([
    expect.stringMatching(/^user bob@acme\.com oauth:account: .*sealed for something else/),
    expect.stringMatching(/^user alice@acme\.com oauth:account: .*was changed in the database/),
  ]);
});

test('accounts go with their user, their server and their tenant', async () => {
  const { db, accounts, server, changing } = await connected();
  await connect({ accounts }, server, { user: bob, tenant: 'globex' });
  await sql`delete from mcp_proxy.users where email = ${alice}`.execute(db);
  await expect.poll(() => accounts.listFor(alice)).toEqual([]);
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_reconnect' });
  await sql`delete from mcp_proxy.tenants where id = 'globex'`.execute(db);
  await expect.poll(() => accounts.listFor(bob)).toEqual([]);
});
