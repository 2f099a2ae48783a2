import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expect, test } from 'vitest';
import { type Era, startConformanceServer } from './conformance-server.ts';

async function eraOf(era: Era, mode: 'auto' | 'legacy'): Promise<string | undefined> {
  const server = await startConformanceServer({ era });
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  try {
    await client.connect(new StreamableHTTPClientTransport(new URL(server.url)));
    const { content } = await client.callTool({ name: 'test_simple_text' });
    expect(content).toEqual([{ type: 'text', text: 'This is a simple text response for testing.' }]);
    return client.getProtocolEra();
  } finally {
    await client.close();
    await server.close();
  }
}

test('the fixture of the conformance suite serves clients of both eras, or of one alone', async () => {
  expect(await eraOf('both', 'auto')).toBe('modern');
  expect(await eraOf('both', 'legacy')).toBe('legacy');
  expect(await eraOf('modern', 'auto')).toBe('modern');
  expect(await eraOf('legacy', 'auto')).toBe('legacy');
  await expect(eraOf('modern', 'legacy')).rejects.toThrow();
});
