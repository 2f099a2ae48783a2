import { describe, expect, test } from 'vitest';
import { gatewayWorld } from '../../../../test/gateway-world.ts';
import { get, type Json, picture, post, recorded } from '../../../../test/openapi-world.ts';

describe('beside mcpo 0.0.20', () => {
  /** Beyond these, whatever mcpo prints stands in ours as well: it drops them, or fills in an empty description. */
  const kept = {
    zoo: (schemas: Json) => {
      const { properties } = schemas['nested-things_form_model'];
      expect(properties.free.additionalProperties).toEqual({ type: 'integer' });
      expect(properties.place.description).toBe('ignored beside a reference');
      properties.free.additionalProperties = true;
      properties.place.description = '';
    },
    everything: () => undefined,
  };

  test.each(['zoo', 'everything'] as const)(
    'the document of %s says all that mcpo’s says',
    async (server) => {
      const world = await gatewayWorld(picture());
      const { schemas, servers, ...theirs } = recorded(server);
      const { body: ours } = await get(world, `/tools/${server}/openapi.json`);
      kept[server](ours.components.schemas);
      expect(ours).toMatchObject(theirs);
      expect(Object.keys(ours.paths)).toEqual(Object.keys(theirs.paths));
      expect(ours.components.schemas).toMatchObject(schemas);
      expect(Object.keys(ours.components.schemas)).toEqual(Object.keys(schemas));
      expect(new URL(ours.servers[0].url, `${world.url}/prefix/tools/${server}/openapi.json`).pathname).toBe(
        `/prefix/tools${servers[0].url}`,
      );
    },
  );

  /** Where the gate answers otherwise, and why. */
  const otherwise = new Map<string, [status: number, answer: Json]>([
    // mcpo catches its own exception and wraps it in another.
    ['give {"kind": "error"}', [500, { detail: { message: 'it went wrong' } }]],
    ['give {"kind": "errors"}', [500, { detail: { message: 'first' } }]],
    ['give {"kind": "error-image"}', [500, { detail: { message: 'Unknown tool execution error' } }]],
    ['give {"kind": "error-empty"}', [500, { detail: { message: 'Unknown tool execution error' } }]],
    // NaN is no JSON.
    ['give {"kind": "nan"}', [200, 'NaN']],
    // No body stands for no arguments.
    [
      'echo null',
      [422, { detail: [{ type: 'missing', loc: ['body', 'message'], msg: 'Field required', input: {} }] }],
    ],
    // What is required is not left out because it is null.
    ['maybe {"b": null, "c": 1}', [200, { arguments: { b: null, c: 1 } }]],
    ['nothing {}', [404, { detail: 'There is no tool "nothing" that you may use.' }]],
  ]);

  test('every recorded call is answered alike', async () => {
    const world = await gatewayWorld(picture());
    const calls: Json[] = recorded('calls');
    const mismatches: Json[] = [];
    for (const call of calls) {
      const { status, answer } = await post(world, `/tools/zoo/${call.tool}`, call.body, { type: call.type });
      const wanted = otherwise.get(`${call.tool} ${call.body}`) ?? [call.status, JSON.parse(call.answer)];
      if (!isEqual([status, answer], wanted)) mismatches.push({ call, status, answer });
    }
    expect(mismatches).toEqual([]);
    expect(calls.length).toBeGreaterThan(60);
  });

  function isEqual(a: Json, b: Json): boolean {
    try {
      expect(a).toEqual(b);
      return true;
    } catch {
      return false;
    }
  }
});
