// Single requests: three tools instead of all, HTTP routes, somebody over a limit, and what is refused.
import { bearer, type RawAnswer, answerOf, modernInit, textOf } from '../e2e/clients.ts';
import { refusedRequests } from '../e2e/refused-requests.ts';
import { kindOf, outcomeOf, personOf, urlOf } from './mcp.ts';
import type { Line } from './pace.ts';
import { toolCalls } from './servers.ts';
import { limitedPerson, type World } from './world.ts';

export function postLines(world: World): Line[] {
  return [meta(world), routes(world), limited(world), refused(world)];
}

async function askModern(
  world: World,
  o: { kind: string; where: string; token: string; params: Record<string, unknown> },
): Promise<RawAnswer> {
  const init = modernInit({ token: o.token }, 'tools/call', o.params);
  return answerOf(await world.fetch(o.kind)(urlOf(world, o.where), init));
}

/** `search_tools` and `call_tool` by turns. */
function meta(world: World): Line {
  const next = toolCalls();
  let turn = 0;
  const ask = (params: Record<string, unknown>) => {
    const { token } = personOf(world, turn);
    return askModern(world, { kind: 'meta', where: '/mcp?mode=meta', token, params });
  };
  return {
    ...{ name: 'meta', perSecond: 8 },
    async once() {
      turn += 1;
      if (turn % 4 === 0) {
        const params = { name: 'search_tools', arguments: { query: 'echo a text' } };
        return world.ledger.timed('meta: search', async () => resultIn(await ask(params)));
      }
      const call = next();
      const params = { name: 'call_tool', arguments: { name: call.name, arguments: call.arguments } };
      await world.ledger.timed(kindOf(call, 'meta: call'), async () => {
        const answer = await ask(params);
        const result = answer.message?.result;
        return result ? outcomeOf(call, Promise.resolve(result)) : answer.text;
      });
    },
  };
}

function resultIn({ message, text }: RawAnswer): string | undefined {
  if (!message?.result) return text;
  return textOf(message.result).isError ? textOf(message.result).text : undefined;
}

/** Tools as HTTP routes, and now and then their document. */
function routes(world: World): Line {
  const ask = world.fetch('openapi');
  const next = toolCalls();
  let turn = 0;
  return {
    ...{ name: 'openapi', perSecond: 15 },
    async once() {
      turn += 1;
      const headers = { ...bearer(personOf(world, turn).token), 'content-type': 'application/json' };
      if (turn % 20 === 0)
        return world.ledger.timed('openapi: document', async () =>
          failureOf(await ask(urlOf(world, '/tools/openapi.json'), { headers })),
        );
      const call = next();
      const url = urlOf(world, `/tools/${call.name.replace('__', '/')}`);
      await world.ledger.timed(kindOf(call, 'openapi: call'), async () =>
        failureOf(await ask(url, { method: 'POST', headers, body: JSON.stringify(call.arguments) })),
      );
    },
  };
}

async function failureOf(response: Response): Promise<string | undefined> {
  const text = await response.text();
  return response.ok ? undefined : `HTTP ${response.status} ${text}`;
}

/** One person who asks for three times as much as may be. */
function limited(world: World): Line {
  const token = world.tokens.get(limitedPerson) ?? '';
  const params = { name: 'plain__echo', arguments: { text: 'again' } };
  return {
    ...{ name: 'limited', perSecond: 3 },
    once: () =>
      world.ledger.timed('limited: call', async () =>
        resultIn(await askModern(world, { kind: 'limited', where: '/mcp', token, params })),
      ),
  };
}

/** Never more than a few a second: of those that prove nobody 50 have records of their own. */
function refused(world: World): Line {
  const ask = world.fetch('refused');
  let turn = 0;
  return {
    ...{ name: 'refused', perSecond: 5 },
    async once() {
      const { what, where, status, init } = refusedRequests[turn++ % refusedRequests.length]!;
      await world.ledger.timed('refused', async () => {
        const response = await ask(urlOf(world, where), init(personOf(world, turn).token));
        await response.body?.cancel();
        return response.status === status ? undefined : `${what}: HTTP ${response.status}`;
      });
    },
  };
}
