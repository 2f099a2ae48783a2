import { expect, test } from 'vitest';
import { readPlan } from './read-plan.ts';

test('what is told of a server behind mcp-remote holds no key that stood in its address', () => {
  const address = 'https://user:canary-password@a.acme.com/mcp?api_key=canary-key';
  const file = { mcpServers: { a: { command: 'npx', args: ['mcp-remote', address] } } };
  const { notes } = readPlan(JSON.stringify(file), undefined, new Set());
  expect(notes).toContainEqual({
    ...{ kind: 'changed', about: 'a' },
    text: 'it is reached directly, without mcp-remote',
  });
  expect(JSON.stringify(notes)).not.toContain('canary');
});
