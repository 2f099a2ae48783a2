import type { Log } from '../../platform/log.ts';
import type { Connector } from '../connectors/contract.ts';
import type { RpcNotification, RpcRequest, RpcResponse } from '../rpc/message.ts';
import { type Era, rpcCode } from '../rpc/protocol.ts';
import type { Hello } from './handshake.ts';
import { OwnSubscription } from './own-subscription.ts';

/** One thing that somebody follows: a resource by URI, or a task (modern era) by its server's id. */
export interface Topic {
  readonly kind: 'resources' | 'tasks';
  readonly id: string;
}

export interface InterestOptions {
  readonly name: string;
  readonly era: Era;
  readonly log: Log;
  /** Sends a request of the gate's own. */
  request(method: string, rawParams: string): Promise<RpcResponse>;
  onMessage(message: RpcNotification | RpcRequest): void;
  onGap(): void;
}

const notAgreed = `{"code":${rpcCode.invalidParams},"message":"The server does not announce changes of it"}`;
/** Subscriptions that are renewed at one time. */
const atOnce = 8;

/**
 * What the gate wants one server to tell it, besides changes of its lists. It outlives the connection: a new one, or
 * a new session, is asked for the same again. Whoever follows and whoever stops is counted elsewhere.
 */
export class Interests {
  readonly #options: InterestOptions;
  readonly #followed = { resources: new Set<string>(), tasks: new Set<string>() };
  /** The last request about each resource: two about the same one must not overtake each other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #subscription: OwnSubscription | undefined;

  constructor(options: InterestOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#followed.resources.size === 0 && this.#followed.tasks.size === 0;
  }

  /** The server is there, for the first time or again. */
  begin(connector: Connector, hello: Hello): void {
    const { name, log, era, onMessage, onGap } = this.#options;
    if (era === 'legacy') return void this.#renew();
    this.#subscription = new OwnSubscription(connector, hello, {
      ...{ name, log, followed: this.#followed, onMessage, onGap },
    });
  }

  /** The connection or session is over. */
  end(): void {
    this.#subscription?.stop();
    this.#subscription = undefined;
  }

  /** Asks the server to tell about it; resolves with its error when it refuses. Needs an open connection. */
  async follow({ kind, id }: Topic): Promise<RpcResponse | undefined> {
    this.#followed[kind].add(id);
    try {
      const refused = await (this.#options.era === 'modern'
        ? this.#agree({ kind, id })
        : this.#inTurn(id, true));
      if (refused) this.#followed[kind].delete(id);
      return refused;
    } catch (error) {
      this.#followed[kind].delete(id);
      throw error;
    }
  }

  /** Nobody wants to hear of it any more. Never rejects. */
  async unfollow({ kind, id }: Topic): Promise<void> {
    this.#followed[kind].delete(id);
    const { era, name, log } = this.#options;
    try {
      if (era === 'modern') await this.#subscription?.refresh();
      else await this.#inTurn(id, false);
    } catch (error) {
      log.debug({ server: name, err: error }, 'the server was not told that nobody follows a resource');
    }
  }

  async #agree({ kind, id }: Topic): Promise<RpcResponse | undefined> {
    const agreed = await this.#subscription?.refresh();
    return agreed?.[kind].has(id) ? undefined : refusal(notAgreed);
  }

  /** Says what is wanted when its turn comes, which may have changed while it waited. */
  async #inTurn(uri: string, wanted: boolean): Promise<RpcResponse | undefined> {
    const before = this.#turns.get(uri);
    const turn = (async () => {
      await before?.catch(() => undefined);
      if (this.#followed.resources.has(uri) !== wanted) return undefined;
      const rawParams = `{"uri":${JSON.stringify(uri)}}`;
      const method = wanted ? 'resources/subscribe' : 'resources/unsubscribe';
      const response = await this.#options.request(method, rawParams);
      return response.error ? response : undefined;
    })();
    this.#turns.set(uri, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(uri) === turn) this.#turns.delete(uri);
    }
  }

  /** A new session knows nothing of what the old one was told. */
  async #renew(): Promise<void> {
    const { name, log } = this.#options;
    const waiting = [...this.#followed.resources];
    const next = async (): Promise<void> => {
      for (let uri = waiting.pop(); uri !== undefined; uri = waiting.pop()) {
        await this.#inTurn(uri, true).catch((error: unknown) =>
          log.debug({ server: name, err: error }, 'a resource could not be followed again'),
        );
      }
    };
    await Promise.all(Array.from({ length: atOnce }, next));
  }
}

function refusal(rawError: string): RpcResponse {
  const error = JSON.parse(rawError) as { code: number; message: string }; // written above
  return { kind: 'response', rawId: null, result: undefined, rawResult: undefined, error, rawError };
}
