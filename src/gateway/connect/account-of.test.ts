import { expect, test } from 'vitest';
import { caller, snapshotOf } from '../../../test/access-world.ts';
import { fillIn } from '../../access/index.ts';
import type { Gate, Reaching } from '../call.ts';
import { ownOr } from './account-of.ts';

test.each([
  ['file', 'file', true],
  ['admin', 'file', false],
  ['file', 'admin', false],
] as const)(
  'server: %s, address of the tenant: %s. The token endpoint is the operator’s: %s',
  (managedBy, byWhom, isTrusted) => {
    const account = { kind: 'token-exchange', tokenUrl: 'http://10.0.0.1/token', clientId: 'gate' };
    const definition: object = { url: 'https://a.example/', account };
    const server = { ...snapshotOf({ servers: { it: definition } }).servers.get('it')!, managedBy };
    const tenant = { id: 'acme', managedBy: 'file' } as const;
    const override = { url: 'https://acme.example/mcp', managedBy: byWhom };
    const filled = fillIn(server, { tenant, override, variableOf: () => undefined });
    if (!filled.ok) throw new Error(filled.kind);
    const asked: boolean[] = [];
    const exchanges = { find: (question: { trusted: boolean }) => void asked.push(question.trusted) };
    // Nothing else of these is looked at.
    const gate = { connect: { exchanges } } as unknown as Gate;
    const principal = caller('alice@acme.com');
    const call = { principal, tenant, subjectToken: () => 'token' } as unknown as Reaching;
    ownOr(call, gate, { server, filled, name: 'default' }, null);
    expect(asked).toEqual([isTrusted]);
  },
);
