// What becomes of a task when its tool is held back, and how long its result may be.
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, expect, test } from 'vitest';
import { answerOf, closeClients, listenModern, postModern } from '../../../test/e2e/clients.ts';
import { startTasksServer } from '../../../test/fakes/tasks-server.ts';
import { gatewayWorld } from '../../../test/gateway-world.ts';
import type { PinState } from '../../catalog/contract.ts';
import type { ToolPins } from '../../catalog/index.ts';

const tasks = await startTasksServer();
afterAll(() => tasks.close());
afterEach(() => closeClients());

/** Of all processes here: a task that one gave out is known to the others. */
const sealingKey = randomBytes(32);
const alice = 'alice@acme.com';
const meta = {
  'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } },
};
const gone = { code: -32602, message: 'There is no such task that you may use.' };

async function world(more: object) {
  let state: PinState = 'accepted';
  let version = 1;
  const toolPins: ToolPins = {
    get version() {
      return version;
    },
    stateOf: () => state,
    standingOf: () => 'unseen',
    nameFlags: () => [],
    observe: () => undefined,
    onChange: () => () => undefined,
    refresh: async () => undefined,
    close: async () => undefined,
  };
  const gate = await gatewayWorld(
    {
      servers: { tasks: { type: 'http', url: tasks.url, ...more } },
      groups: { all: { servers: ['tasks'] } },
      users: { [alice]: { groups: ['all'] } },
    },
    { toolPins, sealingKey },
  );
  const raw = (path: string) => ({ url: `${gate.url}${path}`, token: alice });
  const send = async (path: string, method: string, params: Record<string, unknown>) =>
    (await answerOf(await postModern(raw(path), method, params, { meta }))).message;
  return {
    send,
    begin: async (): Promise<string> =>
      (await send('/mcp/tasks', 'tools/call', { name: 'greet' })).result.taskId,
    answer: (taskId: string, name: string) =>
      send('/mcp', 'tasks/update', {
        taskId,
        inputResponses: { who: { action: 'accept', content: { name } } },
      }),
    listen: (taskId: string) => listenModern(raw('/mcp/tasks'), { taskIds: [taskId] }, { meta }),
    become(next: PinState) {
      state = next;
      version++;
    },
  };
}

test('a task is out of reach while its tool is held back, and is there again when that is over', async () => {
  const { send, begin, answer, listen, become } = await world({ pin: 'enforce' });
  const taskId = await begin();
  const before = await listen(taskId);
  await expect.poll(() => before.messages.length).toBe(1);
  expect(before.messages[0].params.notifications.taskIds).toEqual([taskId]);
  const asked = tasks.asked.length;
  become('pending');
  for (const path of ['/mcp', '/mcp/tasks'])
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel'])
      expect((await send(path, method, { taskId, inputResponses: {} })).error, method).toEqual(gone);
  const during = await listen(taskId);
  await expect.poll(() => during.messages.length).toBe(1);
  expect(during.messages[0].params.notifications).toEqual({});
  expect(tasks.asked).toHaveLength(asked);
  become('accepted');
  expect((await answer(taskId, 'Ann')).result).toBeDefined();
  expect((await send('/mcp', 'tasks/get', { taskId })).result.result.content[0].text).toBe('Hello Ann');
});

test('nothing is told of a task while its tool is held back', async () => {
  const { send, begin, listen, become } = await world({ pin: 'enforce' });
  const open = await world({});
  const taskId = await begin();
  const [heard, elsewhere] = [await listen(taskId), await open.listen(taskId)];
  await expect.poll(() => heard.messages.length + elsewhere.messages.length).toBe(2);
  become('pending');
  await open.answer(taskId, 'Ann');
  await expect.poll(() => elsewhere.messages.length).toBe(2);
  // The server told both at once, and this comes after it.
  expect((await send('/mcp', 'tasks/get', { taskId })).error).toEqual(gone);
  expect(heard.messages).toHaveLength(1);
});

test('a result is no longer in the news of a task than where it is asked for, and the rest can be read', async () => {
  const { send, begin, answer, listen } = await world({ maxResultChars: 1_000 });
  const taskId = await begin();
  const heard = await listen(taskId);
  await expect.poll(() => heard.messages.length).toBe(1);
  const name = 'x'.repeat(2_400);
  await answer(taskId, name);
  await expect.poll(() => heard.messages.length).toBe(2);
  const news = heard.messages[1];
  expect(news).toMatchObject({ method: 'notifications/tasks', params: { taskId, status: 'completed' } });
  const [text, note, link] = news.params.result.content;
  expect(text.text).toBe(`Hello ${name}`.slice(0, 1_000));
  expect(note.text).toContain('1,406 of 2,406 characters left out');
  expect(link.type).toBe('resource_link');
  const page = await send('/mcp', 'resources/read', { uri: link.uri });
  expect(page.result.contents[0].text).toBe(`Hello ${name}`.slice(1_000, 2_000));
  const asked = (await send('/mcp/tasks', 'tasks/get', { taskId })).result.result.content;
  expect(asked[0]).toEqual(text);
  expect(asked[1].text.slice(0, 30)).toBe(note.text.slice(0, 30));
});
