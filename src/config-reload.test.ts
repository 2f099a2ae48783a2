import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { loadConfig, watchConfigFile } from './config.ts';
import { createLog } from './platform/log.ts';

const withServer = (id: string) => JSON.stringify({ mcpServers: { [id]: { command: 'x' } } });

test('a wrong file is reported once and changes nothing, until it is mended', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'toolgate-reload-'));
  const file = path.join(directory, 'mcp-servers.json');
  writeFileSync(file, withServer('a'));
  const { fileFingerprint } = await loadConfig({}, directory);
  const taken: string[] = [];
  const refused: string[] = [];
  const options = {
    loaded: fileFingerprint,
    log: createLog('silent'),
    settleMs: 10,
    pollMs: 50,
    onChange: async ({ mcpServers }: { mcpServers: object }) => void taken.push(...Object.keys(mcpServers)),
    onInvalid: (error: Error) => void refused.push(error.message),
  };
  const watch = watchConfigFile(file, {}, options);
  try {
    writeFileSync(file, '{ "mcpServers": { "a": { "comand": "x" } } }');
    await vi.waitFor(
      () => expect(refused).toEqual([expect.stringContaining('did you mean "command"?')]),
      5000,
    );
    rmSync(file);
    await vi.waitFor(() => expect(refused[1]).toContain('does not exist'), 5000);
    expect(taken).toEqual([]);
    writeFileSync(file, withServer('b'));
    await vi.waitFor(() => expect(taken).toEqual(['b']), 5000);
    expect(refused).toHaveLength(2);
  } finally {
    await watch.close();
    rmSync(directory, { recursive: true });
  }
});
