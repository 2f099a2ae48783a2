import { expect, test } from 'vitest';
import { caller } from '../../../test/access-world.ts';
import { credential, pictureOf } from '../../../test/gateway-world.ts';
import { rightsOf } from '../../access/index.ts';
import type { CredentialQuestion } from '../../secrets/index.ts';
import type { Call, Gate } from '../call.ts';
import { reach } from './reach.ts';

function world(groups: readonly string[]) {
  return pictureOf({
    servers: { crm: { type: 'http', url: 'https://crm.example/mcp', headers: { a: '${credential}' } } },
    groups: { Everyone: { servers: ['crm'] }, Developers: {} },
    users: { 'alice@acme.com': { groups: [...groups] } },
  });
}

test('whoever leaves a group while a stream is open loses what its key reaches, though the server stays theirs', () => {
  const before = world(['Everyone', 'Developers']);
  const who = caller('alice@acme.com');
  // What the step that needs them reads of a call.
  const call = {
    ...{ snapshot: before, principal: who, rights: rightsOf(before, who, 0), tenant: null, session: null },
    ...{ path: { server: null }, subjectToken: () => undefined },
  } as unknown as Call;
  const key = credential('Developers', 'group');
  const find = ({ groups }: CredentialQuestion) => (groups.includes('Developers') ? key : null);
  const gateAt = (picture: typeof before) =>
    ({ snapshot: () => picture, clock: () => 0, vault: { find } }) as unknown as Gate;
  expect(reach(call, gateAt(before), 'crm')?.credentials.get('default')).toBe(key);
  expect(reach(call, gateAt(world(['Everyone'])), 'crm')).toBeUndefined();
});
