// People who work all the time, in every way that the gate is used.
import { setTimeout as wait } from 'node:timers/promises';
import { bearer, openSession, post, postModern, type Raw } from '../e2e/clients.ts';
import { eventually } from '../e2e/gate.ts';
import { type Kind, type Shot, shoot } from './shots.ts';

export interface Target {
  /** The gate, or what stands in front of it. */
  readonly url: string;
  readonly token: string;
  /** Of Open WebUI. */
  readonly cookie: string;
}

export interface Load {
  /** All requests that have ended. */
  readonly shots: readonly Shot[];
  /** Those that began between two moments of `performance.now()`. */
  between(from: number, until: number): Shot[];
  /** Waits until so many more have ended. */
  more(count: number): Promise<void>;
  /** One that was begun after this moment and ended well; how long after it ended. */
  wellAfter(moment: number, kind?: string): Promise<number>;
  stop(): Promise<void>;
}

/** One request of somebody. */
export type Aim = () => Promise<Shot>;

const pause = 30;

/** Starts one worker for each aim; it sends its next request when the last one has ended. */
export function startLoad(aims: readonly Aim[]): Load {
  const shots: Shot[] = [];
  let isOver = false;
  const working = aims.map(async (aim) => {
    while (!isOver) {
      shots.push(await aim());
      await wait(pause);
    }
  });
  return {
    shots,
    between: (from, until) => shots.filter(({ begun }) => begun >= from && begun < until),
    async more(count) {
      const enough = shots.length + count;
      await eventually(`${count} more requests`, () => shots.length >= enough, 120);
    },
    async wellAfter(moment, kind) {
      const isIt = (shot: Shot) =>
        shot.ending === 'ok' && shot.begun >= moment && (kind === undefined || shot.kind === kind);
      const { begun, milliseconds } = await eventually('a good answer', () => shots.find(isIt), 120);
      return begun + milliseconds - moment;
    },
    async stop() {
      isOver = true;
      await Promise.all(working);
    },
  };
}

/** Both eras of MCP, tools over HTTP and the way to Open WebUI: six people at a time. */
export function mixedAims(target: Target): Aim[] {
  const { legacy, modern } = aimsAt(target);
  return [
    ...[legacy('ok__echo', { text: 'x' }), legacy('everything__echo', { message: 'x' })],
    ...[modern('ok__echo', { text: 'x' }), modern('everything__echo', { message: 'x' })],
    ...[openApi(target), openWebUi(target)],
  ];
}

/** Calls of one tool, in each era; `kind` names them where they are told apart from the others. */
export function aimsAt({ url, token }: Pick<Target, 'url' | 'token'>) {
  const raw: Raw = { url: `${url}/mcp`, token };
  const isAnswer = (text: string) => text.includes('"result"');
  return {
    legacy(name: string, args: object, kind: string = 'mcp legacy' satisfies Kind): Aim {
      let session: Raw | undefined;
      const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } };
      return async () => {
        session ??= await openSession(raw.url, token).catch(() => undefined);
        const shot = await shoot(kind, (signal) => post(session ?? raw, message, signal), isAnswer);
        // A session that is not known any more is opened again, as clients do.
        if (shot.ending !== 'ok' && /session/i.test(shot.said)) session = undefined;
        return shot;
      };
    },
    modern(name: string, args: object, kind: string = 'mcp modern' satisfies Kind): Aim {
      const params = { name, arguments: args };
      return () => shoot(kind, (signal) => postModern(raw, 'tools/call', params, { signal }), isAnswer);
    },
  };
}

function openApi({ url, token }: Target): Aim {
  const kind = 'openapi' satisfies Kind;
  const headers = { ...bearer(token), 'content-type': 'application/json' };
  const body = JSON.stringify({ text: 'x' });
  const send = (signal: AbortSignal) =>
    fetch(`${url}/tools/ok/echo`, { method: 'POST', headers, body, signal });
  return () => shoot(kind, send, (text) => text.includes('x'));
}

function openWebUi({ url, cookie }: Target): Aim {
  const kind = 'open webui' satisfies Kind;
  const send = (signal: AbortSignal) => fetch(`${url}/echo`, { headers: { cookie }, signal });
  return () => shoot(kind, send, (text) => text.includes('"sha256"'));
}
