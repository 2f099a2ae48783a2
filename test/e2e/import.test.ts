// Files of other programs, taken over into a gate that runs, by the command line that an operator uses.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { run } from '../../cli/main.ts';
import { startProgram } from './program.ts';
import { startUpstream, toolsNamed } from './upstream.ts';

const program = await startProgram({
  config: {
    groups: { 'MCP-Admin': { admin: true } },
    users: { 'admin@acme.com': { groups: ['MCP-Admin'] } },
    network: { allow: ['127.0.0.0/8'] },
  },
});
afterAll(() => program.close());

async function cli(...args: string[]) {
  let printed = '';
  const write = (text: string) => {
    printed += text;
  };
  const code = await run(['--url', program.url, ...args], {
    env: {
      TOOLGATE_CONFIG: path.join(program.folder, 'mcp-servers.json'),
      TOOLGATE_ADMIN_TOKEN: program.adminToken,
    },
    write,
    writeError: write,
    complain: (message) => write(`${message}\n`),
  });
  return { code, printed };
}

test('a server of Claude Desktop is taken over with its key, and answers through the gate', async () => {
  const secret = 'sk-canary-5d1c7f';
  const upstream = await startUpstream({ tools: {} }, toolsNamed(['hello']));
  const file = path.join(program.folder, 'claude_desktop_config.json');
  const config = path.join(program.folder, 'mcp-servers.json');
  await writeFile(
    file,
    JSON.stringify({
      mcpServers: { 'My Tools': { url: upstream.url, headers: { 'X-Api-Key': secret }, alwaysAllow: ['x'] } },
    }),
  );

  const preview = await cli('import', file);
  expect(preview).toMatchObject({ code: 0, printed: expect.stringContaining('Nothing was changed') });
  expect(preview.printed).toContain('alwaysAllow');
  expect(await readFile(config, 'utf8')).not.toContain('my-tools');

  const written = await cli('import', file, '--write');
  expect(written).toMatchObject({ code: 0, printed: expect.stringContaining('Stored the keys of my-tools') });
  expect(await readFile(config, 'utf8')).toContain('"X-Api-Key": "${credential}"');
  for (const text of [preview.printed, written.printed, await readFile(config, 'utf8'), program.logs()])
    expect(text).not.toContain(secret);

  const answer = await program.admin('POST', '/servers/my-tools/test');
  expect(answer.body).toMatchObject({ ok: true, tools: 1 });
  expect(upstream.seen.at(-1)?.headers['x-api-key']).toBe(secret);

  const again = await cli('import', file);
  expect(again.printed).toContain('my-tools-2');
});

test('a program that wants JSON gets nothing else, and what it asked for is done', async () => {
  const upstream = await startUpstream({ tools: {} }, toolsNamed(['hello']));
  const file = path.join(program.folder, 'for-programs.json');
  await writeFile(file, JSON.stringify({ mcpServers: { scripted: { url: upstream.url } } }));
  const { code, printed } = await cli('import', file, '--write', '--json');
  expect({ code, ...JSON.parse(printed) }).toMatchObject({
    code: 0,
    written: true,
    servers: [{ id: 'scripted' }],
  });
  expect(await readFile(path.join(program.folder, 'mcp-servers.json'), 'utf8')).toContain('scripted');
});

test('what cannot be read is told in a sentence, and changes nothing', async () => {
  const file = path.join(program.folder, 'wrong.json');
  await writeFile(file, '{ "mcpServers": { ');
  expect(await cli('import', file, '--write')).toMatchObject({
    code: 1,
    printed: expect.stringContaining('The file is no JSON: line 1'),
  });
  expect(await cli('import', path.join(program.folder, 'none.json'))).toMatchObject({
    code: 1,
    printed: expect.stringContaining('there is no such file'),
  });
});
