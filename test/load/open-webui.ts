// Open WebUI as the gate sees it: its sessions, and a site that answers in every way.
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { closeLater } from '../e2e/clients.ts';
import { startOpenWebUi } from '../fakes/open-webui.ts';
import { startSite } from '../fakes/open-webui-site.ts';

export interface Chat {
  readonly url: string;
  /** A session that begins. */
  session(email: string): Promise<string>;
  /** Signs out. */
  revoke(token: string): void;
  /** Sockets and answers that the site still holds. */
  held(): number;
  forget(): void;
}

export async function startChat(): Promise<Chat> {
  const webUi = closeLater(await startOpenWebUi());
  const site = closeLater(await startSite());
  site.before = (req, res) => {
    if (/^\/api\/v1\/(?:auths\/|users\/groups)$/.test(req.url ?? '')) passOn(webUi.origin, req, res);
    else if (req.url?.startsWith('/api/chat/completions')) void speak(req, res);
    else return false;
    return true;
  };
  const accounts = new Map<string, ReturnType<typeof webUi.account>>();
  return {
    url: site.origin,
    session(email) {
      const account = accounts.get(email) ?? webUi.account(email);
      accounts.set(email, account);
      return webUi.session(account);
    },
    revoke: (token) => webUi.revoke(token),
    held: () => site.sockets.filter(({ destroyed }) => !destroyed).length,
    forget() {
      for (const list of [site.arrived, site.held, site.requests, site.heard]) list.length = 0;
      const open = site.sockets.filter(({ destroyed }) => !destroyed);
      site.sockets.splice(0, Infinity, ...open);
    },
  };
}

function passOn(origin: string, req: IncomingMessage, res: ServerResponse): void {
  const asked = request(`${origin}${req.url}`, { headers: req.headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(res);
  });
  asked.on('error', () => res.destroy());
  asked.end();
}

/** An answer as a model writes it, word by word. */
async function speak(req: IncomingMessage, res: ServerResponse): Promise<void> {
  req.resume();
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let word = 0; word < 20 && !res.destroyed; word++) {
    res.write(`data: {"choices":[{"delta":{"content":"word ${word} "}}]}\n\n`);
    await wait(25);
  }
  res.end('data: [DONE]\n\n');
}
