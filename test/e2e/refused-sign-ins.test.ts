// Who was refused is in the log of changes, also where requests are not recorded.
import { expect, test } from 'vitest';
import { configOf, query, startGate } from './gate.ts';

test('refused sign-ins are recorded without analytics, counted by address, and not one by one', async () => {
  const gate = await startGate({ config: configOf({}), env: { ENABLE_API_ANALYTICS: 'false' } });
  const databaseUrl = gate.databaseUrl ?? '';
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  const wrong = `tg_${'a'.repeat(40)}`;
  for (let at = 0; at < 60; at += 1) await fetch(`${gate.url}/servers`, bearer(wrong));
  await fetch(`${gate.url}/mcp-admin/api/users`, bearer('guessed'));
  const alice = await gate.tokenFor('alice@acme.com');
  await fetch(`${gate.url}/mcp-admin/api/users`, bearer(alice));
  await fetch(`${gate.url}/mcp`, { headers: { origin: 'https://evil.example.com' } });
  // Asked without a credential, as clients do that look for where to sign in.
  await fetch(`${gate.url}/servers`);
  expect((await fetch(`${gate.url}/servers`, bearer(alice))).status).toBe(200);
  await gate.kill('SIGTERM');
  const rows = await query(
    databaseUrl,
    "select target_id, client_ip, after from mcp_proxy.audit_log where action = 'sign_in.refused'",
  );
  expect(rows).toMatchObject([{ client_ip: '127.0.0.1', target_id: '127.0.0.1' }]);
  const { refused, reasons } = (rows[0]?.['after'] ?? {}) as { refused: number; reasons: object };
  expect(refused).toBe(63);
  expect(Object.keys(reasons).sort()).toEqual(expect.arrayContaining(['not_an_admin', 'origin_not_allowed']));
  expect(JSON.stringify(rows)).not.toMatch(/tg_|guessed/);
  expect(await query(databaseUrl, 'select 1 from mcp_proxy.api_analytics')).toEqual([]);
});
