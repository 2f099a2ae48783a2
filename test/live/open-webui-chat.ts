// A person in front of Open WebUI: an open window (its Socket.IO connection) and messages in a new chat.
import { randomUUID } from 'node:crypto';
import { closeLater } from '../e2e/clients.ts';
import { eventually } from '../e2e/gate.ts';
import type { Json } from '../e2e/program.ts';
import type { FakeModel, Wish } from './fake-model.ts';
import type { OpenWebUiServer } from './open-webui-server.ts';

export interface Window {
  /** Every event of this person's chats, oldest first. */
  readonly events: Json[];
  /** Socket.IO's id of the connection. */
  readonly id: string;
  /** How the person answers from here on when a tool asks. */
  answerWith(value: unknown): void;
}

/** Opens a window as this person: Engine.IO 4 over one WebSocket, as the web application does. */
export async function openWindow(url: string, token: string): Promise<Window> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/socket.io/?EIO=4&transport=websocket`);
  closeLater({ close: async () => socket.close() });
  const events: Json[] = [];
  let id: string | undefined;
  let reply: unknown = false;
  socket.addEventListener('message', ({ data }) => {
    const text = String(data);
    if (text.startsWith('0')) socket.send(`40${JSON.stringify({ token })}`);
    if (text === '2') socket.send('3');
    if (text.startsWith('40')) id = JSON.parse(text.slice(2)).sid;
    const [, acknowledge, payload] = /^42(\d*)(\[.*)$/s.exec(text) ?? [];
    if (payload === undefined) return;
    const [name, event] = JSON.parse(payload);
    if (name === 'events') events.push(event);
    if (acknowledge) socket.send(`43${acknowledge}${JSON.stringify([reply])}`);
  });
  const opened = await eventually('the window is open', () => id);
  return { events, id: opened, answerWith: (value) => void (reply = value) };
}

export interface Person {
  readonly token: string;
  readonly window: Window;
}

export interface Said {
  /** Names of the tools that the model was offered. */
  readonly offered: readonly string[];
  /** What the tool call gave back to the model; undefined when there was none. */
  readonly result: string | undefined;
  /** Of the tool call in the stored chat. */
  readonly status: string | undefined;
  /** Status lines that the person saw. */
  readonly statuses: readonly string[];
  /** Questions that the person was asked. */
  readonly questions: readonly Json[];
}

/** Sends one message in a new chat and waits until the answer is complete. */
export async function say(
  at: { readonly owui: OpenWebUiServer; readonly model: FakeModel },
  { token, window }: Person,
  toolIds: readonly string[],
  wish: Omit<Wish, 'nonce'> & { readonly before?: () => Promise<void> },
): Promise<Said> {
  const { before, ...rest } = wish;
  const nonce = randomUUID();
  if (before) at.model.beforeCall(nonce, before);
  const content = JSON.stringify({ nonce, ...rest });
  const seenBefore = window.events.length;
  const id = randomUUID();
  const mine = {
    id: randomUUID(),
    role: 'user',
    content,
    models: ['obedient'],
    timestamp: Math.floor(Date.now() / 1000),
  };
  const { chat_id: chatId } = await at.owui.ask(
    'POST',
    '/api/chat/completions',
    {
      ...{ model: 'obedient', messages: [{ role: 'user', content }], stream: true, parent_id: null, id },
      user_message: { ...mine, parentId: null, childrenIds: [id] },
      ...{ session_id: window.id, tool_ids: toolIds },
      background_tasks: { title_generation: false, tags_generation: false, follow_up_generation: false },
    },
    token,
  );
  const message = await eventually(
    'the answer is complete',
    async () => {
      const { chat } = await at.owui.ask('GET', `/api/v1/chats/${chatId}`, undefined, token);
      const found = chat.history.messages[id];
      return found?.done === true && found;
    },
    60,
  );
  const events = window.events.slice(seenBefore).filter((event) => event.chat_id === chatId);
  const output = (message.output ?? []).find(({ type }: Json) => type === 'function_call_output');
  return {
    offered: at.model.offered(nonce) ?? [],
    result: output?.output?.map(({ text }: Json) => text ?? '').join(''),
    status: output?.status,
    statuses: events.flatMap(({ data }) => (data.type === 'status' ? [data.data.description] : [])),
    questions: events.flatMap(({ data }) => (data.type === 'confirmation' ? [data.data] : [])),
  };
}
