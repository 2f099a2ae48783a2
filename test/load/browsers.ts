// What browsers do: Open WebUI's pages, uploads, answers and sockets; signing in and out; and administrators at work.
import { randomBytes } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { webClient } from '../web-client.ts';
import { clientFrame } from '../web-socket.ts';
import { urlOf } from './mcp.ts';
import type { Line } from './pace.ts';
import { people, type World } from './world.ts';

export function browserLines(world: World): Line[] {
  const cookies = cookiesOf(world);
  return [
    pages(world, cookies),
    answers(world, cookies),
    sockets(world, cookies),
    signIns(world),
    edits(world),
  ];
}

/** `Cookie` of somebody; each session is signed out after some requests, and another one begins. */
type Cookies = () => Promise<string>;

const requestsInSession = 40;

function cookiesOf({ chat }: World): Cookies {
  const sessions = new Map<string, string>();
  let turn = 0;
  return async () => {
    const email = people[turn++ % people.length] ?? '';
    const before = sessions.get(email);
    if (before !== undefined && turn % requestsInSession < people.length) {
      chat.revoke(before);
      sessions.delete(email);
    }
    const session = sessions.get(email) ?? (await chat.session(email));
    sessions.set(email, session);
    return `token=${session}`;
  };
}

/** Small answers, and uploads of 100 KB. */
function pages(world: World, cookies: Cookies): Line {
  const ask = world.fetch('webui');
  const file = randomBytes(100_000);
  let turn = 0;
  return {
    ...{ name: 'webui', perSecond: 15 },
    async once() {
      const cookie = await cookies();
      if (turn++ % 5 > 0)
        return world.ledger.timed('webui: page', async () => {
          const response = await ask(urlOf(world, '/api/v1/chats/one'), { headers: { cookie } });
          await response.text();
          return response.ok ? undefined : `HTTP ${response.status}`;
        });
      await world.ledger.timed('webui: upload', async () => {
        const init = { method: 'POST', headers: { cookie }, body: file };
        const response = await ask(urlOf(world, '/api/v1/files/'), init);
        const { bytes } = (await response.json()) as { bytes: number }; // the site says what came
        return bytes === file.length ? undefined : `${bytes} bytes came`;
      });
    },
  };
}

/** Answers word by word: half of them are read to the end, others left; some break off behind the gate. */
function answers(world: World, cookies: Cookies): Line {
  const ask = world.fetch('webui-streams');
  let turn = 0;
  const read = async (where: string, isLeft: boolean): Promise<string | undefined> => {
    const controller = new AbortController();
    const headers = { cookie: await cookies() };
    const method = where.startsWith('/api/chat') ? 'POST' : 'GET';
    const response = await ask(urlOf(world, where), { method, headers, signal: controller.signal });
    let text = '';
    for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text = (text + part).slice(-100);
      if (isLeft) break;
    }
    controller.abort();
    return isLeft || text.endsWith('[DONE]\n\n') ? undefined : `ended with ${text}`;
  };
  return {
    ...{ name: 'webui-streams', perSecond: 3 },
    async once() {
      const kind = turn++ % 20;
      if (kind === 0)
        return world.ledger.timed('failing server: Open WebUI breaks off', () => read('/break', false));
      if (kind === 1) return world.ledger.timed('webui: endless answer left', () => read('/endless', true));
      const isLeft = kind % 2 === 0;
      const name = isLeft ? 'webui: answer left' : 'webui: answer read';
      await world.ledger.timed(name, () => read('/api/chat/completions', isLeft));
    },
  };
}

/** WebSockets that say something, hear it again, and are closed; every third is cut. */
function sockets(world: World, cookies: Cookies): Line {
  let turn = 0;
  return {
    ...{ name: 'webui-sockets', perSecond: 1 },
    async once() {
      const at = turn++;
      const cookie = await cookies();
      await world.ledger.timed('webui: socket', async () => {
        const socket = await handshake(world, cookie, at);
        if (typeof socket === 'number') return `HTTP ${socket}`;
        socket.setTimeout(30_000, () => socket.destroy());
        const said = `42["say","${randomBytes(20).toString('hex')}"]`;
        socket.write(clientFrame(said));
        let heard = '';
        for await (const part of socket.iterator({ destroyOnReturn: false })) {
          heard += String(part);
          if (heard.includes(said)) break;
        }
        if (at % 3 === 0) socket.destroy();
        else socket.end();
        return heard.includes(said) ? undefined : 'it did not say the same again';
      });
    },
  };
}

/** The open socket, or the status that it was refused with. */
async function handshake(world: World, cookie: string, at: number): Promise<Socket | number> {
  const mark = world.ledger.mark('webui-sockets');
  const headers = {
    ...{ cookie, 'user-agent': mark.agent, connection: 'Upgrade', upgrade: 'websocket' },
    ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' },
  };
  const asked = request(`${world.gates[at % 2]?.url}/ws/socket.io/`, { headers, agent: false });
  asked.end();
  try {
    return await new Promise<Socket | number>((resolve, reject) => {
      asked.once('error', reject);
      asked.once('response', (response: IncomingMessage) => {
        response.resume();
        mark.answered(response.statusCode ?? 0);
        resolve(response.statusCode ?? 0);
      });
      asked.once('upgrade', (_response, socket: Socket) => {
        mark.answered(101);
        socket.on('error', () => undefined);
        resolve(socket);
      });
    });
  } catch (error) {
    mark.unanswered(error);
    throw error;
  }
}

/** Somebody signs in at the company, looks at their page, and signs out. */
function signIns(world: World): Line {
  const ask = world.fetchAsSaid('people');
  let turn = 0;
  return {
    ...{ name: 'people', perSecond: 0.5 },
    async once() {
      const site = world.gates[turn++ % 2]!.url.replace('127.0.0.1', 'localhost');
      await world.ledger.timed('sign in and out', async () => {
        const browser = webClient(site, ask);
        const page = await browser.follow('/gateway/sign-in/oidc?issuer=acme&return=%2Fgateway%2Fsessions');
        if (page.status !== 200) return `signing in: HTTP ${page.status}`;
        const { location } = await browser.post('/gateway/sign-out', {}, { page });
        return location === '/gateway/sign-in?signed-out' ? undefined : `signing out: ${location}`;
      });
    },
  };
}

/** A grant, a key, a server switched off and on, a token made and taken back. */
function edits(world: World): Line {
  let turn = 0;
  const tools = () => (turn % 2 === 0 ? ['*'] : ['echo']);
  const steps: readonly (() => [number, string, string, unknown?])[] = [
    () => [200, 'PUT', '/groups/Edited/servers/spare', { tools: tools() }],
    () => [200, 'PUT', '/keys/keyed', { value: randomBytes(12).toString('hex') }],
    () => [200, 'PATCH', '/servers/spare', { enabled: false }],
    () => [200, 'GET', '/users?limit=20'],
    () => [200, 'PATCH', '/servers/spare', { enabled: true }],
    () => [204, 'DELETE', '/groups/Edited/servers/spare'],
    () => [200, 'GET', '/audit?limit=20'],
  ];
  return {
    ...{ name: 'admin', perSecond: 0.7 },
    async once() {
      const [status, method, where, body] = steps[turn++ % steps.length]!();
      await world.ledger.timed('admin API', async () => {
        const answer = await world.admin(method, where, body);
        return answer.status === status ? undefined : `${method}: HTTP ${answer.status} ${answer.text}`;
      });
      if (turn % steps.length > 0) return;
      const made = await world.admin('POST', '/tokens', { user: people[0], name: 'short' });
      const { id } = JSON.parse(made.text) as { id: string };
      await world.admin('DELETE', `/tokens/${id}`);
    },
  };
}

/** What administrators work on. */
export async function prepareEdits(world: World): Promise<void> {
  for (const [where, body] of [
    ['/groups', { name: 'Edited' }],
    ['/servers', { id: 'spare', type: 'http', url: world.spare }],
  ] as const) {
    const { status, text } = await world.admin('POST', where, body);
    if (status !== 201) throw new Error(`${where}: ${status} ${text}`);
  }
}
