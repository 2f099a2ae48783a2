// Toolgate with a key for each tenant and server, before an upstream that says whose key it was sent.
import { randomBytes } from 'node:crypto';
import { run } from '../../cli/main.ts';
import { MasterKey } from '../../src/secrets/master-keys/master-key.ts';
import { answerOf, postModern, textOf } from './clients.ts';
import { eventually, type Gate, startGate } from './gate.ts';
import { startUpstream, toolsNamed } from './upstream.ts';

export const tenants = ['north', 'south', 'east', 'west'];
export const servers = Array.from({ length: 12 }, (_, n) => `crm-${n}`);
export const adminToken = `admin-${randomBytes(24).toString('hex')}`;

/** One key for each tenant and server, as a canary. */
export const secretOf = new Map(
  tenants.flatMap((tenant) =>
    servers.map((server) => [
      `${tenant} ${server}`,
      `canary-${tenant}-${server}-${randomBytes(9).toString('hex')}`,
    ]),
  ),
);
const ownerOf = new Map([...secretOf].map(([owner, secret]) => [`Bearer ${secret}`, owner]));

// It answers with the owner of the key that came, and with an error to any other key.
const upstream = await startUpstream(
  { tools: {} },
  {
    ...toolsNamed(['whose']),
    'tools/call': (_request, headers) => {
      const owner = ownerOf.get(headers['authorization'] ?? '');
      return { content: [{ type: 'text', text: owner ?? 'a wrong key' }], isError: owner === undefined };
    },
  },
);
export const config = {
  mcpServers: Object.fromEntries(
    servers.map((id) => [
      id,
      { type: 'http', url: upstream.url, headers: { Authorization: 'Bearer ${credential}' } },
    ]),
  ),
  groups: Object.fromEntries(tenants.map((id) => [`Tenant-${id}`, { tenant: id, servers }])),
  tenants: Object.fromEntries(tenants.map((id) => [id, {}])),
  users: Object.fromEntries(tenants.map((id) => [`ann@${id}.example`, { groups: [`Tenant-${id}`] }])),
  network: { allow: ['127.0.0.0/8'] },
};

export function newKey(): { readonly text: string; readonly id: string } {
  const bytes = randomBytes(32);
  return { text: bytes.toString('base64'), id: new MasterKey(bytes).id };
}

export async function start<const T extends readonly string[]>(databaseUrl: string, keys: T) {
  const gates: Gate[] = [];
  for (const key of keys) {
    const env = {
      DATABASE_URL: databaseUrl,
      TOOLGATE_MASTER_KEY: key,
      TOOLGATE_ADMIN_TOKEN: adminToken,
      DEBUG: 'true',
    };
    gates.push(await startGate({ config, env }));
  }
  return gates as { [At in keyof T]: Gate }; // one for each key
}

export async function storeKeys(gate: Gate, said: string[]): Promise<void> {
  for (const [owner, value] of secretOf) {
    const [tenant, server] = owner.split(' ');
    const answer = await gate.admin('PUT', `/tenants/${tenant}/keys/${server}`, { value });
    if (answer.status !== 200) throw new Error(`Not stored: ${answer.status} ${JSON.stringify(answer.body)}`);
    said.push(JSON.stringify(answer.body));
  }
}

export async function tokenOf(gate: Gate, tenant: string): Promise<string> {
  const token = await gate.tokenFor(`ann@${tenant}.example`);
  await eventually('the token counts', async () => (await listed(gate.url, token)) === 200);
  return token;
}

export async function listed(url: string, token: string): Promise<number> {
  const answer = await postModern({ url: `${url}/mcp`, token }, 'tools/list');
  await answer.text();
  return answer.status;
}

/** Whose key the upstream saw, or the sentence that the caller got instead. */
export async function whose(url: string, token: string, server: string): Promise<string> {
  const raw = { url: `${url}/mcp/${server}`, token };
  const answer = await answerOf(await postModern(raw, 'tools/call', { name: 'whose', arguments: {} }));
  return answer.message?.result ? textOf(answer.message.result).text : answer.text;
}

export async function ready(gate: Gate) {
  return (await (await fetch(`${gate.url}/gateway/ready`)).json()) as { status: string; degraded: unknown[] };
}

/** A command line against one of them. */
export async function cli(gate: Gate, ...args: string[]) {
  const text = { out: '', error: '' };
  const code = await run(['--url', gate.url, ...args], {
    env: { TOOLGATE_ADMIN_TOKEN: gate.adminToken },
    write: (more) => void (text.out += more),
    writeError: (more) => void (text.error += more),
    complain: (message) => void (text.error += message),
  });
  return { code, ...text };
}
