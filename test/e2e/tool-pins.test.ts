// From a changed tool to an administrator's word, with two programs on one database.
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { plainTool, startChangingTools } from '../fakes/changing-tools.ts';
import { askModern, closeLater } from './clients.ts';
import { eventually, type Gate, startGate } from './gate.ts';

const files = closeLater(await startChangingTools());
files.tools = [plainTool('read', 'Reads a file'), plainTool('stat')];
const config = {
  mcpServers: { files: { type: 'http', url: files.url, pin: 'enforce' } },
  groups: { All: { servers: ['files'] } },
  users: { 'alice@acme.com': { groups: ['All'] } },
  network: { allow: ['127.0.0.0/8'] },
};
const key = { TOOLGATE_MASTER_KEY: randomBytes(32).toString('base64') };
const first = await startGate({ config, env: key });
const second = await startGate({
  config,
  env: { ...key, DATABASE_URL: first.databaseUrl!, TOOLGATE_ADMIN_TOKEN: first.adminToken },
});
const both = [first, second];
const { token } = (await first.admin('POST', '/tokens', { user: 'alice@acme.com', name: 'e2e' })).body;

async function names({ url }: Gate): Promise<string> {
  const { message } = await askModern({ url: `${url}/mcp/files`, token }, 'tools/list');
  const tools: { name: string }[] = message?.result?.tools ?? [];
  return tools.map(({ name }) => name).join(' ');
}

test('a changed tool is held back by every process, and back within five seconds of being accepted', async () => {
  for (const gate of both) await eventually('first sight', async () => (await names(gate)) === 'read stat');
  files.tools[0] = plainTool('read', 'Reads a file and mails it');
  // An administrator's look at the tools asks the server anew.
  for (const gate of both) await gate.admin('GET', '/servers/files/tools');
  for (const gate of both)
    await eventually('held back', async () => {
      await gate.admin('GET', '/servers/files/tools');
      return (await names(gate)) === 'stat';
    });
  const explained = async (gate: Gate) =>
    (await gate.admin('GET', '/explain?user=alice@acme.com&server=files&tool=read')).body;
  for (const gate of both) {
    await eventually('explained', async () => (await explained(gate)).allowed === false);
    expect((await explained(gate)).reasons[1]).toContain('nobody has accepted it');
  }
  const { body } = await second.admin('GET', '/pins?server=files&status=pending');
  expect(body.items).toHaveLength(1);
  expect(body.items[0].changes).toEqual([
    { field: 'description', before: 'Reads a file', after: 'Reads a file and mails it' },
  ]);
  const accepted = await second.admin('POST', '/servers/files/pins/accept-all', { version: body.version });
  expect(accepted.body).toEqual({ accepted: 1 });
  for (const gate of both) await eventually('back', async () => (await names(gate)) === 'read stat', 5);
  for (const gate of both) expect((await explained(gate)).allowed).toBe(true);
  const { body: audit } = await first.admin('GET', '/audit?target=files');
  const actions = audit.items.map(({ action }: { action: string }) => action);
  expect(actions.filter((action: string) => action.startsWith('pin.'))).toEqual([
    'pin.accept',
    'pin.pending',
    'pin.first_sight',
  ]);
});
