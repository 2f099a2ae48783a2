import { expect, test } from 'vitest';
import { ask, askModern, openSession, type ToolClient, toolClients } from './clients.ts';
import { eventually, shippedConfig, startGate } from './gate.ts';

const gate = await startGate({ config: shippedConfig });

interface Person {
  readonly token: string;
  /** Tools by server: those that the shipped config file grants. Undefined: all. */
  readonly mine: Readonly<Record<string, readonly string[] | undefined>>;
  readonly call: readonly [tool: string, args: Record<string, unknown>, answer: RegExp];
  /** A tool that exists and that this person may not use. */
  readonly denied?: readonly [server: string, tool: string];
}

const people: Readonly<Record<string, Person>> = {
  alice: {
    token: await gate.tokenFor('alice@acme.com'),
    mine: {
      files: [
        'get_file_info',
        'list_allowed_directories',
        'list_directory',
        'list_directory_with_sizes',
        'read_file',
        'read_multiple_files',
        'read_text_file',
        'search_files',
      ],
      thinking: undefined,
    },
    call: ['files__list_directory', { path: '.' }, /\[FILE\] welcome\.txt/],
    denied: ['files', 'write_file'],
  },
  bob: {
    token: await gate.tokenFor('bob@acme.com'),
    mine: { everything: ['echo', 'get-sum', 'get-tiny-image'], memory: undefined },
    call: ['everything__get-sum', { a: 40, b: 2 }, /42/],
    denied: ['everything', 'get-env'],
  },
  admin: {
    token: await gate.tokenFor('admin@acme.com'),
    mine: { everything: undefined, files: undefined, memory: undefined, thinking: undefined },
    call: ['everything__echo', { message: 'hello' }, /hello/],
  },
};

/** What each server has, asked as the admin API does it, before anybody's rights. */
const all = new Map<string, string[]>();
for (const server of ['everything', 'files', 'memory', 'thinking']) {
  const { body } = await gate.admin('GET', `/servers/${server}/tools`);
  const names: string[] = body.items.map(({ name }: { name: string }) => name);
  all.set(server, names);
}

function expected({ mine }: Person, has: (server: string) => readonly string[]): string[] {
  return Object.entries(mine)
    .flatMap(([server, tools]) => (tools ?? has(server)).map((tool) => `${server}__${tool}`))
    .sort();
}

const cases = Object.keys(toolClients).flatMap((client) =>
  Object.keys(people).map((who) => [client, who] as const),
);

test.each(cases)('%s as %s lists exactly the tools of that person and calls one', async (name, who) => {
  const person = people[who]!;
  const client = await toolClients[name]!(`${gate.url}/mcp`, person.token);
  const wanted = expected(person, (server) => all.get(server)!);
  // Capabilities of a client make a connection of its own, whose servers may still be starting.
  await eventually('the whole list', async () => (await client.toolNames()).length >= wanted.length);
  expect((await client.toolNames()).sort()).toEqual(wanted);
  const [tool, args, answer] = person.call;
  expect(await client.call(tool, args)).toEqual({ text: expect.stringMatching(answer), isError: false });
  if (person.denied) await cannotUse(client, person.denied.join('__'));
});

test.each(cases.filter(([, who]) => people[who]!.denied))(
  '%s as %s is refused the same tool on the endpoint of its server',
  async (name, who) => {
    const { token, denied, mine } = people[who]!;
    const [server, tool] = denied!;
    const client = await toolClients[name]!(`${gate.url}/mcp/${server}`, token);
    const names = await eventually('the list', async () => {
      const found = await client.toolNames();
      return found.length > 0 && found;
    });
    expect(names.sort()).toEqual([...mine[server]!].sort());
    await cannotUse(client, tool);
  },
);

async function cannotUse(client: ToolClient, tool: string): Promise<void> {
  expect(await client.toolNames()).not.toContain(tool);
  const refused = { text: `There is no tool "${tool}" that you may use.`, isError: true };
  // The AI SDK makes tools of the list alone, so it cannot even name another.
  expect(await client.call(tool, {}).catch((error: unknown) => String(error))).toEqual(
    expect.toBeOneOf([refused, `Error: The AI SDK sees no tool ${tool}`]),
  );
}

const secret = ['files__write_file', 'memory__read_graph', 'everything__echo'];

test.each(['legacy', 'modern'])(
  '"not yours" and "not there" differ in nothing but the name (%s)',
  async (era) => {
    const { token } = people['alice']!;
    const raw = { url: `${gate.url}/mcp`, token };
    const session = await openSession(raw.url, token);
    const send = (method: string, params: Record<string, unknown>, server = '') =>
      era === 'legacy'
        ? ask({ ...session, url: raw.url + server }, method, params)
        : askModern({ ...raw, url: raw.url + server }, method, params);
    const text = async (method: string, params: Record<string, unknown>, name: string, server?: string) => {
      const { status, text, headers } = await send(method, params, server);
      const kept = [...headers].filter(([key]) => !['date', 'x-request-id', 'content-length'].includes(key));
      return JSON.stringify([status, kept, text.replaceAll(name, '<name>')]);
    };

    for (const name of secret) {
      const [server = '', tool = ''] = name.split('__');
      const nowhere = [`${server}__nothing`, 'nothing__nothing'];
      for (const other of nowhere) {
        expect(await text('tools/call', { name }, name)).toBe(
          await text('tools/call', { name: other }, other),
        );
      }
      if (server === 'files') {
        const [hidden, absent] = [tool, 'nothing'].map((one) =>
          text('tools/call', { name: one }, one, '/files'),
        );
        expect(await hidden).toBe(await absent);
      }
    }
    for (const method of ['tools/list', 'tools/call', 'resources/list', 'prompts/get']) {
      const [hidden, absent] = ['memory', 'nowhere'].map((id) =>
        text(method, { name: 'echo' }, id, `/${id}`),
      );
      expect(await hidden, method).toBe(await absent);
    }
    const [mine, nobodys] = ['everything__simple-prompt', 'nothing__x'].map((one) =>
      text('prompts/get', { name: one }, one),
    );
    expect(await mine).toBe(await nobodys);
    const uris = ['demo://resource/static/document/architecture.md', 'demo://nothing'];
    const [read, missing] = uris.map((uri) => text('resources/read', { uri }, uri));
    expect(await read).toBe(await missing);
  },
);

test('GET /servers shows each person only what is theirs', async () => {
  const shown = async (token: string) => {
    const response = await fetch(`${gate.url}/servers`, { headers: { Authorization: `Bearer ${token}` } });
    const body = (await response.json()) as { items: { id: string; path: string }[] };
    return body.items.map(({ id, path }) => `${id} ${path}`);
  };
  expect(await shown(people['alice']!.token)).toEqual([
    'files /t/acme/mcp/files',
    'thinking /t/acme/mcp/thinking',
  ]);
  expect(await shown(people['bob']!.token)).toEqual([
    'everything /t/acme/mcp/everything',
    'memory /t/acme/mcp/memory',
  ]);
  expect(await shown(people['admin']!.token)).toHaveLength(4);
});
