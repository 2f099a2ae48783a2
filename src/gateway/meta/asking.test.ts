import { expect, test } from 'vitest';
import {
  ann,
  askModern,
  begun,
  messagesOf,
  picture,
  postModern,
  textIn,
} from '../../../test/asking-world.ts';
import { gatewayWorld } from '../../../test/gateway-world.ts';

const path = '/mcp?mode=meta';
const asking = (name: string) => ({ name: 'call_tool', arguments: { name, arguments: {} } });

test('a server may ask in the middle of a call through call_tool, and the same call goes on with the answer', async () => {
  const world = await gatewayWorld(picture());
  const { retryParams } = await begun(world, asking('legacy__ask_form'), { path });
  const done = await askModern(world, retryParams(), { path });
  expect(done.result.resultType).toBe('complete');
  expect(JSON.parse(textIn(done))).toEqual([ann]);
});

test('what one call was asked is no answer for another tool', async () => {
  const world = await gatewayWorld(picture());
  const { retryParams } = await begun(world, asking('legacy__ask_form'), { path });
  const other = await askModern(world, { ...retryParams(), ...asking('legacy__ask_page') }, { path });
  expect(JSON.stringify(other)).not.toContain('Ann');
});

test('progress of the real tool reaches the caller under its own token', async () => {
  const world = await gatewayWorld(picture());
  const posted = await postModern(world, asking('legacy__ask_form'), {
    path,
    meta: { progressToken: 'mine' },
  });
  const [first] = await messagesOf(posted);
  expect(first.params.progressToken).toBe('mine');
});
