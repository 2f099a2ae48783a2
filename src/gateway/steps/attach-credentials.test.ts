import { expect, test } from 'vitest';
import { credential, pictureOf } from '../../../test/gateway-world.ts';
import type { SnapshotServer } from '../../access/index.ts';
import type { FoundCredential } from '../../secrets/index.ts';
import type { Call, Gate } from '../call.ts';
import { targetOf } from './attach-credentials.ts';

const picture = pictureOf({
  servers: {
    shared: { type: 'http', url: 'https://a.example/mcp', headers: { 'x-key': '${credential}' } },
    personal: { type: 'http', url: 'https://b.example/mcp', isolation: 'user' },
  },
  tenants: { acme: { endpoints: { shared: 'https://acme.example/mcp' } }, globex: {} },
});

interface Asking {
  readonly tenant?: string;
  readonly principal?: string;
  readonly key?: FoundCredential | null;
}

function reach(id: string, { tenant, principal = 'alice@acme.com', key = null }: Asking) {
  const server = picture.servers.get(id) as SnapshotServer;
  const call = {
    snapshot: picture,
    tenant: tenant === undefined ? null : picture.tenants.get(tenant),
    principal: { id: principal },
    session: null,
  } as unknown as Call;
  return targetOf(call, { vault: { find: () => key } } as unknown as Gate, server);
}

test('callers who share a connection share the target, until their key is replaced or taken away', () => {
  const key = credential('k', 'shared');
  const first = reach('shared', { key });
  expect(first).toBeDefined();
  expect(reach('shared', { key, principal: 'bob@acme.com' })).toBe(first);
  const replaced = reach('shared', { key: credential('k', 'shared', '2') });
  expect(replaced?.credentials.get('default')?.version).toBe('2');
  expect(replaced?.key).not.toBe(first?.key);
  expect(reach('shared', { key: null })).toBeUndefined();
});

test('tenants have targets of their own, each with its address and its key', () => {
  const of = (tenant: string) => reach('shared', { tenant, key: credential(tenant, 'tenant') });
  const targets = ['acme', 'globex', 'acme'].map(of);
  expect(targets.map((target) => target?.url)).toEqual([
    'https://acme.example/mcp',
    'https://a.example/mcp',
    'https://acme.example/mcp',
  ]);
  expect(targets.map((target) => target?.scope)).toEqual(['tenant:acme', 'tenant:globex', 'tenant:acme']);
  expect(targets.map((target) => target?.credentials.get('default')?.id)).toEqual(['acme', 'globex', 'acme']);
});

test('where each user is kept apart, nobody gets the target of somebody else', () => {
  const scopes = ['alice@acme.com', 'bob@acme.com'].map(
    (principal) => reach('personal', { principal })?.scope,
  );
  expect(scopes).toEqual(['user:alice@acme.com', 'user:bob@acme.com']);
});
