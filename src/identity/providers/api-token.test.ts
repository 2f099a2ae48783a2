import { sql } from 'kysely';
import { expect, test, vi } from 'vitest';
import { identityWorld, reasonOf } from '../../../test/identity-world.ts';
import { tokenInput } from '../contract.ts';
import { createToken } from '../routes.ts';
import { makeToken } from '../token-format.ts';

const world = await identityWorld();
const { db } = world;

async function addUser(email: string): Promise<void> {
  await sql`insert into mcp_proxy.users (email) values (${email}) on conflict do nothing`.execute(db);
}

async function make(input: Record<string, unknown>) {
  const made = await createToken(db, tokenInput.parse(input), { id: 'test' });
  await world.identity.refreshTokens();
  return made;
}

test('a person’s token stands for the person, at once and with the tenant that it is bound to', async () => {
  await addUser('alice@acme.com');
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme')`.execute(db);
  const { id, token } = await make({ user: 'Alice@Acme.com', tenant: 'acme' });
  const request = { header: () => `Bearer ${token}`, clientIp: '', path: '/mcp' };
  const principal = world.identity.authenticate(request);
  expect(principal).toEqual({
    kind: 'user',
    id: 'alice@acme.com',
    assertedGroups: [],
    assertedBy: null,
    tokenTenant: 'acme',
    authSource: 'api-token',
    credentialId: id,
  });
});

test('a service’s token stands for the service, whatever user headers come with it', async () => {
  const { token } = await make({ service: 'ci' });
  const principal = await world.call({
    authorization: `Bearer ${token}`,
    'x-openwebui-user-email': 'alice@acme.com',
  });
  expect(principal).toMatchObject({
    kind: 'service',
    id: 'service:ci',
    authSource: 'api-token',
    tokenTenant: null,
  });
});

test('unknown, foreign, revoked and expired tokens and those of disabled people get one and the same answer', async () => {
  for (const email of ['r@acme.com', 'e@acme.com', 'd@acme.com']) await addUser(email);
  const revoked = await make({ user: 'r@acme.com' });
  const expired = await make({
    user: 'e@acme.com',
    expiresAt: new Date(world.clock() + 60_000).toISOString(),
  });
  const disabled = await make({ user: 'd@acme.com' });
  const otherEnvironment = await identityWorld();
  const foreign = await createToken(otherEnvironment.db, tokenInput.parse({ service: 'ci' }), { id: 'test' });
  expect((await world.call(expired.token)).id).toBe('e@acme.com');
  await sql`update mcp_proxy.api_tokens set revoked_at = now() where id = ${revoked.id}`.execute(db);
  await sql`update mcp_proxy.users set disabled = true where email = 'd@acme.com'`.execute(db);
  await world.identity.refreshTokens();
  await world.snapshot.refresh();
  world.pass(60_001);

  const errors = await Promise.all(
    [makeToken(), foreign.token, revoked.token, expired.token, disabled.token].map((token) =>
      world.refused(token),
    ),
  );
  expect(errors.map(reasonOf)).toEqual([
    'token_unknown',
    'token_unknown',
    'token_revoked',
    'token_expired',
    'user_disabled',
  ]);
  expect(
    new Set(
      errors.map(({ code, status, message, headers }) => JSON.stringify({ code, status, message, headers })),
    ).size,
  ).toBe(1);
});

test('a token that is revoked elsewhere stops counting here by itself', async () => {
  const { id, token } = await make({ service: 'short-lived' });
  await sql`update mcp_proxy.api_tokens set revoked_at = now() where id = ${id}`.execute(db);
  await vi.waitFor(async () => expect(reasonOf(await world.refused(token))).toBe('token_revoked'), 10_000);
});

test('a mistyped token is told apart from an unknown one', async () => {
  const token = makeToken();
  const typo = token.slice(0, 20) + (token[20] === 'a' ? 'b' : 'a') + token.slice(21);
  for (const damaged of [typo, token.slice(0, -3), `${token}0`, 'tg_', 'tg_a.b.c']) {
    expect(reasonOf(await world.refused(damaged))).toBe('token_damaged');
  }
});

test('tokens are stored as hashes and recognised by their first eight characters', async () => {
  const { id, token } = await make({ service: 'hashed' });
  const { rows } = await sql<{ row: string; prefix: string }>`
    select row_to_json(t)::text as row, prefix from mcp_proxy.api_tokens t where id = ${id}`.execute(db);
  expect(rows[0]!.prefix).toBe(token.slice(0, 8));
  expect(rows[0]!.row).not.toContain(token.slice(8, 30));
});

test('the time of last use is stored, at most once a minute', async () => {
  const own = await identityWorld();
  const { id, token } = await createToken(own.db, tokenInput.parse({ service: 'used' }), { id: 'test' });
  const lastUsed = async () => {
    const { rows } = await sql<{ last_used_at: Date | null }>`
      select last_used_at from mcp_proxy.api_tokens where id = ${id}`.execute(own.db);
    return rows[0]!.last_used_at?.getTime();
  };
  await own.identity.refreshTokens();
  const before = own.clock();
  await own.call(token);
  own.pass(50_000);
  await own.call(token);
  await own.restart();
  const first = await lastUsed();
  expect(first).toBeGreaterThanOrEqual(before);
  expect(first).toBeLessThan(before + 50_000);
  own.pass(20_000);
  await own.call(token);
  await own.restart();
  expect(await lastUsed()).toBeGreaterThan(before + 60_000);
});
