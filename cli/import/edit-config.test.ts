import { expect, test } from 'vitest';
import { serversIn, withPlan } from './edit-config.ts';
import type { Plan } from './plan.ts';

const nothing: Plan = { format: 'claude', servers: [], groups: new Map(), users: new Map(), notes: [] };
const files = { id: 'files', from: 'files', entry: { command: 'x' }, keys: [] };

test('comments and everything else of the file stay', () => {
  const before = `// Ours.
{
  "mcpServers": {
    // The one that everybody uses.
    "github": { "type": "http", "url": "https://a.acme.com/mcp" }
  },
  "network": { "allow": ["10.0.0.0/8"] } // for the intranet
}
`;
  const after = withPlan(before, { ...nothing, servers: [files] });
  for (const comment of before.match(/\/\/ .*/g) ?? []) expect(after).toContain(comment);
  expect(after).toContain('"allow": ["10.0.0.0/8"]');
  expect(serversIn(after)).toEqual(new Set(['github', 'files']));
});

test('a file that is not there yet is made', () => {
  expect(JSON.parse(withPlan('', { ...nothing, servers: [files] }))).toEqual({
    mcpServers: { files: { command: 'x' } },
  });
});

test('grants are added to those that are there, and patterns are not widened', () => {
  const before = JSON.stringify({
    groups: { A: { servers: ['old'] }, B: { servers: { files: ['get_*'] } }, C: { admin: true } },
  });
  const groups = new Map([
    ['A', ['files']],
    ['B', ['files', 'more']],
    ['C', ['files']],
  ]);
  const after = JSON.parse(withPlan(before, { ...nothing, servers: [files], groups }));
  expect(after.groups).toEqual({
    A: { servers: ['old', 'files'] },
    B: { servers: { files: ['get_*'], more: ['*'] } },
    C: { admin: true, servers: ['files'] },
  });
});

test('what would not be valid is refused as a whole', () => {
  const wrong = { ...files, entry: { command: '' } };
  expect(() => withPlan('{}', { ...nothing, servers: [wrong] })).toThrow(/Nothing was written/);
});
