import { sql } from 'kysely';
import { afterAll, expect, test, vi } from 'vitest';
import { renameTable } from '../../test/database.ts';
import { startIssuer } from '../../test/fakes/oidc-issuer.ts';
import { identityWorld, reasonOf } from '../../test/identity-world.ts';

const world = await identityWorld();
const { db } = world;
const issuer = await startIssuer();
afterAll(() => issuer.close());
world.trust({ name: 'corp', kind: 'keycloak', issuer: issuer.origin, audience: ['toolgate'] });
await sql`insert into mcp_proxy.groups (name, display_name) values ('one', ''), ('two', ''), ('three', '')`.execute(
  db,
);
await world.snapshot.refresh();

const minute = 60_000;

async function token(sub: string, email: string, groups?: string[]): Promise<string> {
  const iat = Math.floor(world.clock() / 1000);
  return issuer.sign({
    iss: issuer.origin,
    aud: 'toolgate',
    sub,
    email,
    iat,
    exp: iat + 7_200,
    ...(groups && { groups }),
  });
}

interface Stored {
  group_name: string;
  expires_at: Date;
}

async function memberships(email: string): Promise<Stored[]> {
  const { rows } = await sql<Stored>`
    select group_name, expires_at from mcp_proxy.memberships
    where user_email = ${email} and source = 'oidc:corp' order by 1`.execute(db);
  return rows;
}

const groupsOf = async (email: string) => (await memberships(email)).map((row) => row.group_name);
const eventually = (check: () => Promise<void>) => vi.waitFor(check, 10_000);

async function version(): Promise<string> {
  const { rows } = await sql<{ version: string }>`
    select version::text from mcp_proxy.live_versions where topic = 'access'`.execute(db);
  return rows[0]!.version;
}

test('somebody new appears with identity, groups for an hour and an audit entry', async () => {
  await world.call(await token('s-new', 'New@acme.com', ['one', 'two', 'not-here']));
  await eventually(async () => expect(await groupsOf('new@acme.com')).toEqual(['one', 'two']));
  const left = (await memberships('new@acme.com'))[0]!.expires_at.getTime() - world.clock();
  expect(Math.round(left / minute)).toBe(60);
  const { rows } = await sql`
    select u.source, i.issuer, i.subject, a.action, a.target_id from mcp_proxy.users u
    join mcp_proxy.user_identities i on i.user_email = u.email join mcp_proxy.audit_log a on a.target_id = u.email
    where u.email = 'new@acme.com' and u.last_seen_at is not null`.execute(db);
  const target_id = 'new@acme.com';
  expect(rows).toEqual([
    { source: 'oidc:corp', issuer: issuer.origin, subject: 's-new', action: 'user.provision', target_id },
  ]);
});

test('newer groups replace older ones, an older token changes nothing', async () => {
  const first = await token('s-move', 'move@acme.com', ['one']);
  await world.call(first);
  await eventually(async () => expect(await groupsOf('move@acme.com')).toEqual(['one']));
  world.pass(2_000);
  await world.call(await token('s-move', 'move@acme.com', ['two', 'three']));
  await eventually(async () => expect(await groupsOf('move@acme.com')).toEqual(['three', 'two']));
  expect((await world.call(first)).assertedGroups).toEqual(['one']);
  await world.restart();
  expect(await groupsOf('move@acme.com')).toEqual(['three', 'two']);
});

test('an empty list of groups ends them, a token without the claim leaves them', async () => {
  await world.call(await token('s-keep', 'keep@acme.com', ['one']));
  await eventually(async () => expect(await groupsOf('keep@acme.com')).toEqual(['one']));
  world.pass(2_000);
  expect(await world.call(await token('s-keep', 'keep@acme.com'))).toMatchObject({
    assertedGroups: [],
    assertedBy: null,
  });
  await world.restart();
  expect(await groupsOf('keep@acme.com')).toEqual(['one']);
  world.pass(2_000);
  await world.call(await token('s-keep', 'keep@acme.com', []));
  await eventually(async () => expect(await groupsOf('keep@acme.com')).toEqual([]));
});

test('groups are renewed in the second half of their hour, and what is known makes no replica load anew', async () => {
  await world.call(await token('s-renew', 'renew@acme.com', ['one']));
  await eventually(async () => expect(await groupsOf('renew@acme.com')).toEqual(['one']));
  const before = await version();
  const [first] = await memberships('renew@acme.com');
  world.pass(20 * minute);
  await world.call(await token('s-renew', 'renew@acme.com', ['one']));
  await eventually(async () => {
    const { rows } = await sql<{ last_seen_at: Date }>`
      select last_seen_at from mcp_proxy.users where email = 'renew@acme.com'`.execute(db);
    expect(world.clock() - rows[0]!.last_seen_at.getTime()).toBeLessThan(5 * minute);
  });
  expect(await memberships('renew@acme.com')).toEqual([first]);
  world.pass(15 * minute);
  await world.call(await token('s-renew', 'renew@acme.com', ['one']));
  await eventually(async () => {
    const [renewed] = await memberships('renew@acme.com');
    expect(renewed!.expires_at.getTime()).toBeGreaterThan(first!.expires_at.getTime() + 30 * minute);
  });
  expect(await version()).toBe(before);
});

test('a changed address stays the same person', async () => {
  await world.call(await token('s-bride', 'maiden@acme.com'));
  await eventually(async () => {
    await world.snapshot.refresh();
    expect(world.snapshot.current().memberByIdentity(issuer.origin, 's-bride')?.id).toBe('maiden@acme.com');
  });
  expect((await world.call(await token('s-bride', 'married@acme.com'))).id).toBe('maiden@acme.com');
  await world.restart();
  expect((await world.call(await token('s-bride', 'married@acme.com'))).id).toBe('maiden@acme.com');
  await world.restart();
  expect((await sql`select from mcp_proxy.users where email = 'married@acme.com'`.execute(db)).rows).toEqual(
    [],
  );
});

test('a re-used address never becomes the person who had it', async () => {
  await world.call(await token('s-left', 'john@acme.com', ['one']));
  const refusedAtOnce = await world.refused(await token('s-joined', 'john@acme.com', ['two']));
  expect(reasonOf(refusedAtOnce)).toBe('identity_conflict');
  await eventually(async () => expect(await groupsOf('john@acme.com')).toEqual(['one']));
  await world.restart();
  await world.snapshot.refresh();
  expect(reasonOf(await world.refused(await token('s-joined', 'john@acme.com', ['two'])))).toBe(
    'identity_conflict',
  );
  await eventually(async () => {
    const { rows } = await sql`
      select after from mcp_proxy.audit_log where action = 'user.identity_conflict' and target_id = 'john@acme.com'`.execute(
      db,
    );
    expect(rows[0]).toEqual({ after: { issuer: issuer.origin, subject: 's-joined' } });
  });
  expect(await groupsOf('john@acme.com')).toEqual(['one']);
});

test('a conflict that only the database knows of is not written over', async () => {
  await sql`insert into mcp_proxy.users (email) values ('race@acme.com')`.execute(db);
  const seen = await token('s-second', 'race@acme.com', ['one']);
  await world.snapshot.refresh();
  const link = sql`
    insert into mcp_proxy.user_identities (issuer, subject, user_email) values (${issuer.origin}, 's-first', 'race@acme.com')`;
  await link.execute(db);
  // Whether the snapshot knows already or not: in the end the second one is refused and owns nothing.
  await world.call(seen).catch(() => undefined);
  await eventually(async () => expect(reasonOf(await world.refused(seen))).toBe('identity_conflict'));
  expect(await groupsOf('race@acme.com')).toEqual([]);
});

test('somebody who was added before gets linked at first sight, and stays as they were added', async () => {
  await sql`insert into mcp_proxy.users (email, source) values ('known@acme.com', 'admin')`.execute(db);
  await world.snapshot.refresh();
  await world.call(await token('s-known', 'known@acme.com'));
  await eventually(async () => {
    const { rows } = await sql`
      select u.source, i.subject from mcp_proxy.users u join mcp_proxy.user_identities i on i.user_email = u.email
      where u.email = 'known@acme.com'`.execute(db);
    expect(rows).toEqual([{ source: 'admin', subject: 's-known' }]);
  });
});

test('a disabled person is refused, with a token that was seen before too', async () => {
  const seen = await token('s-off', 'off@acme.com');
  await world.call(seen);
  await eventually(async () => {
    const { numAffectedRows } =
      await sql`update mcp_proxy.users set disabled = true where email = 'off@acme.com'`.execute(db);
    expect(numAffectedRows).toBe(1n);
  });
  await world.snapshot.refresh();
  expect(reasonOf(await world.refused(seen))).toBe('user_disabled');
});

test('a person is let in while the database is away, and written when it is back', async () => {
  await renameTable(db, 'users', 'users_away');
  await expect(world.call(await token('s-away', 'away@acme.com', ['one']))).resolves.toMatchObject({
    id: 'away@acme.com',
  });
  await eventually(async () =>
    expect(world.logs.some((line) => line.includes('could not be written yet'))).toBe(true),
  );
  await renameTable(db, 'users_away', 'users');
  await eventually(async () => expect(await groupsOf('away@acme.com')).toEqual(['one']));
});
