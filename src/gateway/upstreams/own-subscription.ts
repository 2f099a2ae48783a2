import type { Log } from '../../platform/log.ts';
import type { Connector } from '../connectors/contract.ts';
import { untilAborted } from '../connectors/until-aborted.ts';
import {
  isObject,
  notificationText,
  type RpcNotification,
  type RpcRequest,
  requestText,
} from '../rpc/message.ts';
import { type Era, meta } from '../rpc/protocol.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';
import { type Hello, modernHeaders, ownMeta } from './handshake.ts';

/** Single things that a modern server is asked to tell about. */
export interface Followed {
  readonly resources: ReadonlySet<string>;
  readonly tasks: ReadonlySet<string>;
}

export interface SubscriptionOptions {
  readonly name: string;
  readonly log: Log;
  /** What to ask for besides the lists; read whenever a stream is opened. */
  readonly followed: Followed;
  onMessage(message: RpcNotification | RpcRequest): void;
  /** There was no stream for a while, so something may have changed unheard. */
  onGap(): void;
}

interface Stream {
  readonly rawId: string;
  readonly controller: AbortController;
  /** What the server agreed to, once it has. */
  readonly agreed: Promise<Followed>;
}

const shortestPause = 1_000;
const longestPause = 60_000;
const answerTimeout = 10_000;
/** How long a replaced stream is still read: what it was sent before its successor began may be on the way. */
const linger = 250;
const none: Followed = { resources: new Set(), tasks: new Set() };
const tasksExtension = '{"extensions":{"io.modelcontextprotocol/tasks":{}}}';

/**
 * A modern server announces changes on a subscription of the gate's own, for as long as the connection lives
 * (basic/patterns/subscriptions.mdx). What to hear of is fixed when a stream is opened, so a change of it opens
 * another one, and the old one is closed when the server has acknowledged that.
 */
export class OwnSubscription {
  readonly #connector: Connector;
  readonly #lists: Readonly<Record<string, true>>;
  readonly #options: SubscriptionOptions;
  readonly #open = new Set<Stream>();
  #current: Stream | undefined;
  #opening: Promise<Followed> | undefined;
  #next: Promise<Followed> | undefined;
  #again: NodeJS.Timeout | undefined;
  #pause = shortestPause;
  #sequence = 0;
  #stopped = false;

  constructor(connector: Connector, hello: Hello, options: SubscriptionOptions) {
    this.#connector = connector;
    this.#lists = announcedLists(hello.capabilities);
    this.#options = options;
    this.#openAgain(false);
  }

  /** Makes the stream what `followed` asks for by now; resolves with what the server agrees to. */
  refresh(): Promise<Followed> {
    // Whoever comes while one is being opened shares the one after it.
    this.#next ??= (this.#opening ?? Promise.resolve(none))
      .catch(() => none)
      .then(() => {
        this.#next = undefined;
        this.#opening = this.#replace();
        return this.#opening;
      });
    return this.#next;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#again);
    for (const stream of this.#open) this.#close(stream);
    this.#current = undefined;
  }

  async #replace(): Promise<Followed> {
    if (this.#stopped) return none;
    clearTimeout(this.#again);
    const before = this.#current;
    const { resources, tasks } = this.#options.followed;
    const filter = {
      ...this.#lists,
      ...(resources.size > 0 && { resourceSubscriptions: [...resources] }),
      ...(tasks.size > 0 && { taskIds: [...tasks] }),
    };
    if (Object.keys(filter).length === 0) {
      this.#current = undefined;
      this.#close(before);
      return none;
    }
    const stream = this.#listen(filter, tasks.size > 0 ? tasksExtension : '{}');
    let agreed: Followed;
    try {
      agreed = await untilAborted(stream.agreed, AbortSignal.timeout(answerTimeout));
    } catch (error) {
      this.#close(stream);
      throw error;
    }
    this.#pause = shortestPause;
    this.#current = stream;
    if (before) setTimeout(() => this.#close(before), linger).unref();
    return agreed;
  }

  #listen(filter: object, capabilities: string): Stream {
    const rawId = JSON.stringify(`changes-${++this.#sequence}`);
    const params = { notifications: JSON.stringify(filter) };
    const controller = new AbortController();
    let agree: (followed: Followed) => void = () => undefined;
    let refuse: (error: unknown) => void = () => undefined;
    const agreed = new Promise<Followed>((resolve, reject) => {
      agree = resolve;
      refuse = reject;
    });
    agreed.catch(() => undefined);
    const stream: Stream = { rawId, controller, agreed };
    this.#open.add(stream);
    const request = this.#connector.request({
      rawId,
      text: requestText(rawId, 'subscriptions/listen', ownParams('modern', capabilities, params)),
      headers: modernHeaders('subscriptions/listen'),
      signal: controller.signal,
      isStanding: true,
      onMessage: (message) => {
        if (message.method === 'notifications/subscriptions/acknowledged') agree(agreedIn(message));
        else this.#options.onMessage(message);
      },
    });
    request
      .then(({ error }) => refuse(new Error(`the server ended it (${error?.code ?? 'as it may'})`)), refuse)
      .finally(() => this.#ended(stream))
      .catch(() => undefined);
    return stream;
  }

  /** The server ended the stream that was in use. */
  #ended(stream: Stream): void {
    this.#open.delete(stream);
    if (this.#stopped || this.#current !== stream) return;
    this.#current = undefined;
    this.#again = setTimeout(() => this.#openAgain(true), this.#pause).unref();
  }

  #openAgain(isGap: boolean): void {
    this.refresh().then(
      () => {
        if (isGap && !this.#stopped && this.#current) this.#options.onGap();
      },
      (error: unknown) => {
        const { log, name } = this.#options;
        log.debug({ server: name, err: error }, 'the server takes no subscription');
        if (this.#stopped || this.#current) return;
        this.#pause = Math.min(this.#pause * 2, longestPause);
        this.#again = setTimeout(() => this.#openAgain(true), this.#pause).unref();
      },
    );
  }

  #close(stream: Stream | undefined): void {
    if (!stream || stream.controller.signal.aborted) return;
    stream.controller.abort(new Error('the subscription is no longer needed'));
    if (this.#connector.cancelsByClosing) return;
    // basic/patterns/cancellation.mdx: on stdio there is no stream to close.
    const text = notificationText('notifications/cancelled', `{"requestId":${stream.rawId}}`);
    this.#connector.send(text, AbortSignal.timeout(answerTimeout)).catch(() => undefined);
  }
}

/** Params of a request that the gate makes itself. */
export function ownParams(
  era: Era,
  capabilities: string,
  members: Readonly<Record<string, string>>,
): string | undefined {
  const all = era === 'modern' ? { ...members, _meta: ownMeta(capabilities) } : members;
  return Object.keys(all).length === 0 ? undefined : editObject('{}', all);
}

/** Every list whose changes the server announces. */
function announcedLists(capabilities: Readonly<Record<string, unknown>>): Record<string, true> {
  const kinds = ['tools', 'prompts', 'resources'].filter((kind) => {
    const value = capabilities[kind];
    return isObject(value) && value['listChanged'] === true;
  });
  return Object.fromEntries(kinds.map((kind) => [`${kind}ListChanged`, true] as const));
}

function agreedIn({ params }: RpcNotification | RpcRequest): Followed {
  const notifications = isObject(params?.['notifications']) ? params['notifications'] : {};
  const texts = (value: unknown): Set<string> =>
    new Set(Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []);
  return {
    resources: texts(notifications['resourceSubscriptions']),
    tasks: texts(notifications['taskIds']),
  };
}

/** The message without the mark of the gate's own subscription, which means nothing to anyone else. */
export function withoutSubscription(message: RpcNotification): RpcNotification {
  const { params, rawParams } = message;
  const own = params?.['_meta'];
  if (!isObject(own) || !(meta.subscriptionId in own) || rawParams === undefined) return message;
  const span = findMember(membersOf(rawParams), '_meta');
  const rest = span && editObject(rawParams.slice(span.start, span.end), { [meta.subscriptionId]: null });
  return { ...message, rawParams: editObject(rawParams, { _meta: rest === '{}' ? null : (rest ?? null) }) };
}
