// A model that does what the user's message says, spoken to as OpenAI's API: `{"pick":"regex","arguments":{…}}` calls the
// first tool on offer whose name matches. It remembers what was on offer.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { closeLater } from '../e2e/clients.ts';
import type { Json } from '../e2e/program.ts';
import { listenOnLoopback } from '../fakes/loopback.ts';

/** What a message asks of it. */
export interface Wish {
  /** Distinguishes this message from all others. */
  readonly nonce: string;
  readonly pick?: string;
  readonly arguments?: Record<string, unknown>;
}

export interface FakeModel {
  /** With `/v1`. */
  readonly url: string;
  /** Names of the tools that came with a message. Undefined when it never arrived. */
  offered(nonce: string): readonly string[] | undefined;
  /** Run before the tool that a message asks for is called. */
  beforeCall(nonce: string, act: () => Promise<void>): void;
}

export async function startFakeModel(): Promise<FakeModel> {
  const offers = new Map<string, string[]>();
  const acts = new Map<string, () => Promise<void>>();
  const answer = async (body: Json): Promise<Json> => {
    const at = body.messages.findLastIndex(({ role }: Json) => role === 'user');
    const wish = wishOf(body.messages[at]?.content);
    if (wish === undefined) return { content: 'I only do what JSON says.' };
    if (body.messages.slice(at).some(({ role }: Json) => role === 'tool')) return { content: 'Done.' };
    const names = (body.tools ?? []).map((tool: Json) => tool.function.name as string);
    offers.set(wish.nonce, names);
    if (wish.pick === undefined) return { content: 'Nothing to call.' };
    const name = names.find((one: string) => new RegExp(wish.pick ?? '').test(one)) ?? wish.pick;
    await acts.get(wish.nonce)?.();
    const call = { name, arguments: JSON.stringify(wish.arguments ?? {}) };
    return { tool_calls: [{ index: 0, id: `call_${wish.nonce}`, type: 'function', function: call }] };
  };
  const http = closeLater(
    await listenOnLoopback((request, response) => void serve(request, response, answer)),
  );
  return {
    url: `${http.origin}/v1`,
    offered: (nonce) => offers.get(nonce),
    beforeCall: (nonce, act) => void acts.set(nonce, act),
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (body: Json) => Promise<Json>,
): Promise<void> {
  if (request.method === 'GET') {
    const model = { id: 'obedient', object: 'model', owned_by: 'test', created: 0 };
    response.writeHead(200, { 'content-type': 'application/json' });
    return void response.end(JSON.stringify({ object: 'list', data: [model] }));
  }
  const body: Json = await json(request);
  const message = { role: 'assistant', ...(await answer(body)) };
  const reason = message.tool_calls ? 'tool_calls' : 'stop';
  const head = { id: 'c', created: 0, model: 'obedient' };
  if (body.stream !== true) {
    response.writeHead(200, { 'content-type': 'application/json' });
    const choices = [{ index: 0, message: { content: null, ...message }, finish_reason: reason }];
    return void response.end(JSON.stringify({ ...head, object: 'chat.completion', choices }));
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const chunk = (delta: object, finish_reason: string | null) =>
    response.write(
      `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`,
    );
  chunk(message, null);
  chunk({}, reason);
  response.end('data: [DONE]\n\n');
}

function wishOf(content: Json): Wish | undefined {
  const text = typeof content === 'string' ? content : content?.map(({ text }: Json) => text ?? '').join('');
  // Open WebUI may put text of its own around it.
  const found = /\{"nonce":.*\}/s.exec(text ?? '')?.[0];
  return found === undefined ? undefined : JSON.parse(found);
}
