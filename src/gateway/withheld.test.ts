import { expect, test } from 'vitest';
import { pictureOf } from '../../test/gateway-world.ts';
import type { Place } from '../catalog/index.ts';
import { withheld } from './withheld.ts';

const url = 'https://files.acme.com/mcp?key=secret';
const snapshot = pictureOf({
  servers: { files: { url, pin: 'enforce' }, loose: { url }, own: { command: 'own', pin: 'enforce' } },
  tenants: { beta: { endpoints: { files: 'https://beta.acme.com/mcp' } } },
});
const standings: Readonly<Record<string, 'accepted' | 'pending' | 'unlisted' | 'unseen'>> = {
  'https://files.acme.com/mcp?key=*** read': 'pending',
  'https://files.acme.com/mcp?key=*** stat': 'accepted',
  'https://beta.acme.com/mcp read': 'accepted',
  'https://beta.acme.com/mcp stat': 'unlisted',
  'own read': 'pending',
};
const toolPins = {
  standingOf: ({ reachedAt }: Place, tool: string) => standings[`${reachedAt} ${tool}`] ?? 'unseen',
};
const why = (server: string, tool: string, tenant: string | null = null) =>
  withheld({ snapshot: () => snapshot, toolPins }, { server, tool, tenant });

test('a tool whose definition waits is withheld, and it is said where to accept it', () => {
  expect(why('files', 'read')).toBe(
    'The tool read is held back from everyone, admins included (pin: enforce): its definition at https://files.acme.com/mcp?key=*** is new or has changed, and nobody has accepted it. Look at it with GET /mcp-admin/api/pins?server=files&status=pending and accept it with POST /mcp-admin/api/pins/{id}/accept.',
  );
  expect(why('own', 'read')).toContain('its definition at own is new or has changed');
});

test('each tenant’s own address counts for itself', () => {
  expect(why('files', 'read', 'beta')).toBeUndefined();
  expect(why('files', 'stat', 'beta')).toContain('does not list it at https://beta.acme.com/mcp');
});

test.each([
  ['accepted', 'files', 'stat'],
  ['of a server that nobody has seen', 'files', 'other'],
  ['of a server that does not enforce', 'loose', 'read'],
  ['of no server', 'none', 'read'],
])('a tool is not withheld that is %s', (_which, server, tool) => {
  expect(why(server, tool)).toBeUndefined();
});

test('a tool with characters that cannot be seen is withheld on every server, and its name is not repeated', () => {
  for (const server of ['loose', 'files']) {
    expect(why(server, 're\u001b[2Jad')).toMatch(
      /^The tool is hidden from everyone.*\bname holds characters/,
    );
    expect(why(server, 're\u001b[2Jad')).not.toContain('\u001b');
  }
});
