// The real Open WebUI in front of Toolgate in the three ways that it can be connected, as two people with different rights.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../cli/main.ts';
import { connectionId } from '../../cli/open-webui-connection.ts';
import type { Json } from '../e2e/program.ts';
import { openWebUiAdminContract } from '../fakes/open-webui-admin.contract.ts';
import { type FakeModel, startFakeModel } from './fake-model.ts';
import { openWindow, type Person, type Said, say } from './open-webui-chat.ts';
import { type OpenWebUiServer, openWebUiVersions, startOpenWebUi } from './open-webui-server.ts';
import { pythonPackage } from './venv.ts';
import { mine, startWorld, type World } from './world.ts';

type Name = 'alice' | 'bob';
const own = { alice: 'acme-key', bob: 'beta-key' } as const;
const other = { alice: 'bob', bob: 'alice' } as const;
const people = ['alice', 'bob'] as const;

/** The ids under which Open WebUI offers what was installed. */
const ways = {
  mcp: 'server:mcp:toolgate',
  openapi: `server:${connectionId('openapi', { server: 'whoami' })}`,
  file: 'toolgate',
} as const;

describe.each(openWebUiVersions)('Open WebUI %s', (version) => {
  const secret = randomBytes(32).toString('hex');
  const is = (minor: number) => Number(version.split('.')[1]) >= minor;
  let model: FakeModel;
  let owui: OpenWebUiServer;
  let world: World;
  let persons: Readonly<Record<Name, Person>>;

  beforeAll(async () => {
    model = await startFakeModel();
    owui = await startOpenWebUi(version, model.url, {
      ENABLE_API_KEYS: 'True',
      ENABLE_FORWARD_USER_INFO_HEADERS: 'True',
      FORWARD_USER_INFO_HEADER_JWT_SECRET: secret,
    });
    world = await startWorld({ OPEN_WEBUI_URL: owui.url, FORWARD_USER_INFO_HEADER_JWT_SECRET: secret });
    const person = async (name: string, email: string) => {
      const token = await owui.person(name, email);
      return { token, window: await openWindow(owui.url, token) };
    };
    persons = { alice: await person('Alice', 'alice@acme.com'), bob: await person('Bob', 'bob@beta.com') };
  });

  const tell = (name: Name, way: keyof typeof ways, wish: Parameters<typeof say>[3]) =>
    say({ owui, model }, persons[name], [ways[way]], wish);

  async function install(...more: string[]): Promise<{ code: number; report: Json }> {
    return installAs(owui.admin, ...more);
  }

  async function installAs(token: string, ...more: string[]): Promise<{ code: number; report: Json }> {
    let out = '';
    const args = ['--json', 'openwebui', 'install', '--url', owui.url];
    const code = await run([...args, ...more], {
      env: {
        ...{ PUBLIC_URL: world.gate.url, TOOLGATE_ADMIN_TOKEN: world.gate.adminToken },
        OPEN_WEBUI_TOKEN: token,
      },
      write: (text) => void (out += text),
      writeError: (text) => void (out += text),
      complain: (text) => void (out += text),
    });
    expect(out).not.toContain(owui.admin);
    return { code, report: out.startsWith('{') ? JSON.parse(out) : out };
  }

  describe('as administrators see it', () => {
    openWebUiAdminContract(() => ({ url: owui.url, token: owui.admin }));

    test('`toolgate openwebui install` sets the three ways up, and finds nothing to do the second time', async () => {
      const changes = async (...more: string[]) => {
        const { code, report } = await install(...more);
        expect(code, JSON.stringify(report)).toBe(0);
        return report.steps.map(({ change }: Json) => change);
      };
      const openApi = ['--mode', 'openapi', '--server', 'whoami'];
      expect([await changes(), await changes(...openApi)]).toEqual([['added', 'added'], ['added']]);
      expect(await changes(...openApi)).toEqual(['unchanged']);
      const again = await install();
      expect(again.report.steps.map(({ change }: Json) => change)).toEqual(['unchanged', 'unchanged']);
      const states = Object.fromEntries(again.report.settings.map(({ name, state }: Json) => [name, state]));
      expect(states).toMatchObject({
        ...{ version: 'right', WEBUI_SECRET_KEY: 'right', ENABLE_OAUTH_SIGNUP: 'unused' },
        ENABLE_FORWARD_USER_INFO_HEADERS: is(12) ? 'right' : 'unseen',
        FORWARD_USER_INFO_HEADER_JWT_SECRET: is(12) ? 'right' : 'unseen',
      });
    });
  });

  test('an API key of an administrator is as good as a session', async () => {
    const { api_key: key } = await owui.ask('POST', '/api/v1/auths/api_key');
    const { code, report } = await installAs(key);
    expect(code).toBe(0);
    expect(report.steps.map(({ change }: Json) => change)).toEqual(['unchanged', 'unchanged']);
    expect(JSON.stringify(report)).not.toContain(key);
  });

  describe('over MCP, with a connection key and the signed user header', () => {
    test.each(people)('%s is offered their own tools and no others', async (name) => {
      const { offered } = await tell(name, 'mcp', {});
      const ours = offered
        .filter((one) => one.startsWith('toolgate_'))
        .map((one) => one.slice('toolgate_'.length));
      expect(ours.sort()).toEqual([...mine[name]].sort());
    });

    test.each(people)("%s calls a tool with their own tenant's key", async (name) => {
      isOwn(name, await tell(name, 'mcp', { pick: 'who_am_i$' }));
    });

    test('a tool whose grant ended after it was offered is refused in a sentence', async () => {
      const before = () => admin(world, 'PUT', '/groups/Beta/servers/whoami', { tools: ['nothing'] });
      const { result } = await tell('bob', 'mcp', { pick: 'who_am_i$', before });
      await admin(world, 'PUT', '/groups/Beta/servers/whoami', { tools: ['who_am_i'] });
      expect(plain(result)).toContain('There is no tool "whoami__who_am_i" that you may use.');
      expect(result).not.toContain('beta-key');
    });

    test.runIf(is(12))('a tool asks the person in the chat, and gets their answer', async () => {
      persons.alice.window.answerWith({
        action: 'accept',
        content: { username: 'alice', email: 'a@acme.com' },
      });
      const { result } = await tell('alice', 'mcp', {
        pick: 'test_elicitation$',
        arguments: { message: 'Who?' },
      });
      expect(plain(result)).toContain('action=accept, content={"username":"alice","email":"a@acme.com"}');
    });
  });

  describe('over OpenAPI, with a connection key and the signed user header', () => {
    test.each(people)("%s calls a tool with their own tenant's key", async (name) => {
      isOwn(name, await tell(name, 'openapi', { pick: 'who_am_i' }));
    });

    test('a tool of somebody else is refused in a sentence', async () => {
      const { offered, result } = await tell('bob', 'openapi', { pick: 'forget_me' });
      expect(offered.find((one) => /forget_me/.test(one))).toBeDefined();
      expect(result).toContain('There is no tool');
      expect(result).not.toContain('forget_me with');
    });
  });

  describe('through the Tool file, with the session of Open WebUI', () => {
    const call = (name: string, args: object = {}) => ({
      pick: '^call_tool$',
      arguments: { name, arguments_json: JSON.stringify(args) },
    });

    test.each(people)('%s lists their own tools and no others', async (name) => {
      const { result, offered } = await tell(name, 'file', { pick: '^list_my_tools$' });
      expect(offered).toEqual(expect.arrayContaining(['call_tool', 'list_my_tools']));
      const names = [...(result ?? '').matchAll(/"name": ?"(\w+__[\w-]+)"/g)].map(([, one]) => String(one));
      expect(names.sort()).toEqual([...mine[name]].sort());
    });

    test.each(people)("%s calls a tool with their own tenant's key", async (name) => {
      const said = await tell(name, 'file', call('whoami__who_am_i'));
      isOwn(name, said);
      expect(said.questions).toEqual([]);
      expect(said.statuses.at(-1)).toBe('Toolgate: whoami__who_am_i answered');
    });

    test('a tool of somebody else is refused in a sentence', async () => {
      const { result } = await tell('bob', 'file', call('whoami__forget_me'));
      expect(result).toMatch(/^Error: There is no tool "whoami__forget_me" that you may use\. Did you mean /);
    });

    test('a tool that deletes is called after a yes, and not after a no', async () => {
      persons.alice.window.answerWith(false);
      const no = await tell('alice', 'file', call('whoami__forget_me'));
      expect(no.questions).toMatchObject([{ title: 'Let this chat use whoami__forget_me?' }]);
      expect(no.result).toBe(
        'Error: "whoami__forget_me" was not called: it needs your yes, and there was none.',
      );
      persons.alice.window.answerWith(true);
      const yes = await tell('alice', 'file', call('whoami__forget_me'));
      expect(yes.result).toBe('forget_me with acme-key');
    });

    test('progress of the server is shown while it works', async () => {
      persons.alice.window.answerWith(true);
      const { statuses, result } = await tell('alice', 'file', call('fixture__test_tool_with_progress'));
      expect(result).toBe('Reported progress.');
      expect(statuses).toContainEqual(expect.stringMatching(/^Toolgate: \d+ of 100 \(\d+ of 100\)$/));
    });

    test('a person whom Toolgate gives nothing is told so', async () => {
      const token = await owui.person('Carol', 'carol@acme.com');
      const carol = { token, window: await openWindow(owui.url, token) };
      const { result } = await say({ owui, model }, carol, [ways.file], { pick: '^list_my_tools$' });
      expect(result).toBe('The user has no tools. An administrator can grant some.');
    });

    test('without Toolgate there is a sentence, and no trace of the program', async () => {
      const valves = `/api/v1/tools/id/${ways.file}/valves`;
      const was = await owui.ask('GET', valves);
      await owui.ask('POST', `${valves}/update`, { ...was, gateway_url: 'http://127.0.0.1:1' });
      const { result } = await tell('alice', 'file', { pick: '^list_my_tools$' });
      await owui.ask('POST', `${valves}/update`, was);
      expect(result).toMatch(/^Error: Toolgate cannot be reached/);
    });
  });

  test('the Tool file passes its own tests with this Python', async () => {
    const bin = await pythonPackage('open-webui', version);
    const file = fileURLToPath(
      new URL('../../integrations/open-webui/test_toolgate_tools.py', import.meta.url),
    );
    const env = { PATH: '/usr/bin:/bin', HOME: tmpdir(), DATA_DIR: tmpdir() };
    const { stderr } = await promisify(execFile)(path.join(bin, 'python'), [file], { env, timeout: 100_000 });
    expect(stderr).toMatch(/^Ran \d\d+ tests in .*\n\nOK\n$/m);
  });

  test('no secret is in what Toolgate or Open WebUI logged', () => {
    for (const hidden of [secret, owui.admin, persons.alice.token, 'acme-key', 'beta-key']) {
      expect(world.gate.logs()).not.toContain(hidden);
      expect(owui.log()).not.toContain(hidden);
    }
  });

  function isOwn(name: Name, { result }: Said): void {
    expect(result).toContain(`who_am_i with ${own[name]}`);
    expect(result).not.toContain(own[other[name]]);
  }
});

/** A result as it was before it was put into JSON. */
function plain(result: string | undefined): string | undefined {
  return result?.replaceAll('\\"', '"');
}

async function admin({ gate }: World, method: string, path: string, body?: unknown): Promise<void> {
  const { status, body: said } = await gate.admin(method, path, body);
  expect(status, JSON.stringify(said)).toBeLessThan(300);
}
