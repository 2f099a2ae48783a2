// What `toolgate openwebui install` relies on in Open WebUI's API: the fake keeps it every day, the real one in the live suite.
import { expect, test } from 'vitest';
import { openWebUi, type ToolServer } from '../../cli/open-webui-api.ts';

const minimal = `class Tools:
    class Valves:
        pass
`;

/** A Tool file that a real Open WebUI accepts, with one setting. */
const toolFile = (comment: string) => `"""
title: Contract
version: 1.0.0
"""
# ${comment}
from pydantic import BaseModel


class Tools:
    class Valves(BaseModel):
        gateway_url: str = "http://localhost"
        other: str = ""

    def __init__(self):
        self.valves = self.Valves()

    async def hello(self, name: str) -> str:
        """
        Says hello.
        :param name: whom to
        """
        return name
`;

/** Registers the tests. `at` is asked when they run. */
export function openWebUiAdminContract(at: () => { readonly url: string; readonly token: string }): void {
  const owui = () => openWebUi(at().url, at().token);

  test('it tells its version, who asks, and which single sign-on there is', async () => {
    expect(await owui().version()).toMatch(/^\d+\.\d+\.\d+/);
    expect(await owui().me()).toMatchObject({ role: 'admin', email: expect.stringContaining('@') });
    const { oauth, features } = await owui().publicConfig();
    expect(oauth.providers).toBeTypeOf('object');
    expect(features['auth']).toBe(true);
    expect(await owui().signOnSettings()).toMatchObject({
      ENABLE_OAUTH_SIGNUP: expect.any(Boolean),
      ENABLE_OAUTH_GROUP_MANAGEMENT: expect.any(Boolean),
      ENABLE_OAUTH_GROUP_CREATION: expect.any(Boolean),
      OAUTH_GROUP_CLAIM: 'groups',
      ENABLE_OAUTH_ROLE_MANAGEMENT: expect.any(Boolean),
      OAUTH_ADMIN_ROLES: expect.any(String),
    });
  });

  test('it refuses a token that it does not know', async () => {
    await expect(openWebUi(at().url, 'nobody').me()).rejects.toThrow(/^Open WebUI refuses the token \(/);
  });

  test('the list of tool servers is replaced as a whole and keeps what it does not know', async () => {
    const was = await owui().toolServers();
    const one = { ...server('contract-a'), ours: { deep: [1] } } as ToolServer;
    await owui().saveToolServers([...was, one, server('contract-b')]);
    const saved = (await owui().toolServers()).slice(was.length);
    expect(saved).toMatchObject([one, server('contract-b')]);
    await owui().saveToolServers(was);
    expect(await owui().toolServers()).toEqual(was);
  });

  test('it says so when it cannot use a tool server', async () => {
    await expect(owui().verify(server('contract-a'))).rejects.toThrow(
      /^Open WebUI refuses \/api.*\/verify: /,
    );
  });

  test('a Tool file is made once, read back byte for byte, and changed', async () => {
    const file = { id: 'contract_file', name: 'Contract', content: toolFile('first'), description: 'd' };
    expect(await owui().toolFile(file.id)).toBeUndefined();
    await owui().createToolFile(file);
    expect(await owui().toolFile(file.id)).toEqual({ id: file.id, name: 'Contract', content: file.content });
    await expect(owui().createToolFile(file)).rejects.toThrow(/^Open WebUI refuses \/api/);
    await owui().updateToolFile({ ...file, name: 'Renamed', content: toolFile('second') });
    expect(await owui().toolFile(file.id)).toMatchObject({ name: 'Renamed', content: toolFile('second') });
  });

  test('settings of a Tool file are replaced as a whole', async () => {
    expect(await owui().valves('contract_file')).toEqual({});
    await owui().saveValves('contract_file', { gateway_url: 'http://a', other: 'b' });
    await owui().saveValves('contract_file', { gateway_url: 'http://c' });
    expect(await owui().valves('contract_file')).toEqual({ gateway_url: 'http://c' });
  });

  test('an id that is no Python name is refused', async () => {
    const file = { id: 'no-name', name: 'x', content: minimal, description: 'd' };
    await expect(owui().createToolFile(file)).rejects.toThrow(/letters|alphanumeric/i);
  });
}

function server(id: string): ToolServer {
  return {
    ...{ type: 'mcp', url: 'http://127.0.0.1:1/mcp', path: '', auth_type: 'bearer', key: 'k' },
    config: { enable: false, access_grants: [] },
    info: { id, name: id },
  };
}
