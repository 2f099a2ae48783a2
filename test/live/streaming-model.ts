// A model that says its answer word by word, and waits in the middle of it until it is told to go on.
import { json } from 'node:stream/consumers';
import { closeLater } from '../e2e/clients.ts';
import { listenOnLoopback } from '../fakes/loopback.ts';

export interface StreamingModel {
  /** With `/v1`. */
  readonly url: string;
  /** Lets the answers go on that have stopped, and those that come later run through. */
  goOn(): void;
}

export async function startStreamingModel(first: string, rest: string): Promise<StreamingModel> {
  const told = Promise.withResolvers<void>();
  const http = closeLater(
    await listenOnLoopback((request, response) => {
      const serve = async (): Promise<void> => {
        if (request.method === 'GET') {
          const model = { id: 'talkative', object: 'model', owned_by: 'test', created: 0 };
          response.writeHead(200, { 'content-type': 'application/json' });
          return void response.end(JSON.stringify({ object: 'list', data: [model] }));
        }
        const body = (await json(request)) as { stream?: boolean; input?: unknown };
        const head = { id: 'c', created: 0, model: 'talkative' };
        if (body.input !== undefined) {
          response.writeHead(200, { 'content-type': 'application/json' });
          const count = Array.isArray(body.input) ? body.input.length : 1;
          const data = Array.from({ length: count }, (_, index) => ({
            index,
            object: 'embedding',
            embedding: [1, 0, 0],
          }));
          return void response.end(JSON.stringify({ object: 'list', model: 'talkative', data }));
        }
        if (body.stream !== true) {
          response.writeHead(200, { 'content-type': 'application/json' });
          const choice = { index: 0, message: { role: 'assistant', content: first }, finish_reason: 'stop' };
          return void response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [choice] }));
        }
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const say = (content: string) =>
          response.write(
            `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`,
          );
        for (const word of first.split(/(?<= )/)) say(word);
        await told.promise;
        for (const word of rest.split(/(?<= )/)) say(word);
        response.end('data: [DONE]\n\n');
      };
      void serve();
    }),
  );
  return { url: `${http.origin}/v1`, goOn: () => told.resolve() };
}
