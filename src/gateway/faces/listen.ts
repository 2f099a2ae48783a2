import { type Call, type Gate, principalOf, requestOf } from '../call.ts';
import type { ListKind } from '../lists/kinds.ts';
import { invalidParams } from '../refusals.ts';
import { isObject, notificationText, type RawId, resultText, type RpcNotification } from '../rpc/message.ts';
import { meta, rpcCode } from '../rpc/protocol.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';
import { WireError } from '../rpc/wire-error.ts';
import { cutTask } from '../shaping/cut-result.ts';
import { cuttingFor } from '../shaping/cutting.ts';
import { followResource } from '../subscriptions/follow-resource.ts';
import { reach, reachTool, reachWhole } from '../subscriptions/reach.ts';
import { type Following, mostTopics } from '../subscriptions/subscriptions.ts';
import type { TaskId } from '../tasks/task-ids.ts';
import { tasksExtension } from '../upstreams/extensions.ts';
import type { Topic } from '../upstreams/interests.ts';
import type { Target } from '../upstreams/target.ts';
import type { OpenStreams } from './open-streams.ts';
import { comeBack, eventText, type Reply } from './reply.ts';
import { subscribe } from './subscribe.ts';

/** Filter names of `subscriptions/listen` and the lists they stand for. */
const wanted: readonly (readonly [string, readonly ListKind[]])[] = [
  ['toolsListChanged', ['tools']],
  ['promptsListChanged', ['prompts']],
  ['resourcesListChanged', ['resources', 'templates']],
];
/** URIs on the merged endpoint, where each is looked for in the lists of all servers. */
const mostToFind = 100;
/** Resources and tasks whose servers are asked at one time. */
const atOnce = 16;

/**
 * `subscriptions/listen` (2026-07-28 basic/patterns/subscriptions.mdx): the first message says what is honoured,
 * every message names the subscription, and the end is a result.
 */
export async function openListen(
  call: Call,
  gate: Gate,
  o: { reply: Reply; rawId: RawId; streams: OpenStreams },
): Promise<void> {
  const { reply, rawId } = o;
  const filter = requestOf(call).params?.['notifications'];
  if (!isObject(filter)) throw invalidParams('"params.notifications" must be an object.');
  const lists = wanted.filter(([name]) => filter[name] === true);
  const notify = (method: string, rawParams: string | undefined) =>
    reply.write(eventText(notificationText(method, withSubscription(rawParams ?? '{}', rawId))));
  // What a server announces before the client has read what is honoured is said after it.
  const early: RpcNotification[] = [];
  let say = (message: RpcNotification): void => void early.push(message);
  const single = await followAll(call, gate, filter, (message) => say(message));
  reply.stream();
  const accepted = { ...Object.fromEntries(lists.map(([name]) => [name, true])), ...single.honoured };
  notify('notifications/subscriptions/acknowledged', JSON.stringify({ notifications: accepted }));
  say = ({ method, rawParams }) => notify(method, rawParams);
  for (const message of early) say(message);
  const end = () => {
    reply.write(
      eventText(resultText(rawId, `{"resultType":"complete","_meta":{"${meta.subscriptionId}":${rawId}}}`)),
    );
    reply.end();
  };
  const leave = subscribe(call, gate, {
    ...{ session: null, notify, end },
    kinds: new Set(lists.flatMap(([, kinds]) => kinds)),
    uris: new Set(),
    leave: () => {
      reply.write(comeBack());
      end();
    },
  });
  const stop = o.streams.keepAlive(reply);
  reply.onOver(() => {
    single.close();
    leave();
    stop();
  });
}

interface Singles {
  /** Members of the acknowledgement. */
  readonly honoured: { readonly resourceSubscriptions?: string[]; readonly taskIds?: string[] };
  close(): void;
}

/** Follows the single resources and tasks that the filter names, as far as they are the caller's and can be followed. */
async function followAll(
  call: Call,
  gate: Gate,
  filter: Readonly<Record<string, unknown>>,
  say: (message: RpcNotification) => void,
): Promise<Singles> {
  const mostUris = call.path.server === null ? mostToFind : mostTopics;
  const uris = textsIn(filter, 'resourceSubscriptions', mostUris);
  const ids = textsIn(filter, 'taskIds', mostTopics);
  if (ids.length > 0) requireTasks(call);
  if (uris.length + ids.length === 0) return { honoured: {}, close: () => undefined };
  const tasks = new Map<string, Followed>();
  const following = gate.subscriptions.open({
    prefer: call.era,
    capabilities: call.capabilities,
    reach: (server, topic) => reachTopic(call, gate, { server, topic }, tasks),
    notify: (message, topic, server) =>
      say(forClient(call, gate, { message, news: { server, topic }, tasks })),
  });
  try {
    const until = AbortSignal.any([
      call.controller.signal,
      AbortSignal.timeout(gate.settings.listDeadlineMs),
    ]);
    const resources = await honouredOf(uris, (uri) => followUri(call, gate, following, uri), until);
    const taskIds = await honouredOf(
      ids,
      (sealed) => followTask(call, gate, { following, tasks, sealed }),
      until,
    );
    return {
      honoured: {
        ...(resources.length > 0 && { resourceSubscriptions: resources }),
        ...(taskIds.length > 0 && { taskIds }),
      },
      close: () => following.close(),
    };
  } catch (error) {
    following.close();
    throw error;
  }
}

/** Takes a wish back that was met too late. */
type Undo = () => void;

/** Those for which `follow` is through before `until`; the order stays. */
async function honouredOf(
  names: readonly string[],
  follow: (name: string) => Promise<Undo | undefined>,
  until: AbortSignal,
): Promise<string[]> {
  const honoured = new Set<string>();
  const waiting = [...names];
  const next = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined && !until.aborted; name = waiting.shift()) {
      // A server that cannot be asked now: not honoured, and the acknowledgement says so.
      const undo = await follow(name).catch(() => undefined);
      if (undo && until.aborted) undo();
      else if (undo) honoured.add(name);
    }
  };
  const all = Promise.all(Array.from({ length: Math.min(atOnce, names.length) }, next));
  await Promise.race([all, aborted(until)]);
  return names.filter((name) => honoured.has(name));
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function followUri(
  call: Call,
  gate: Gate,
  following: Following,
  uri: string,
): Promise<Undo | undefined> {
  const followed = await followResource(call, gate, following, uri);
  if (followed.kind !== 'followed') return undefined;
  return () => following.drop(followed.server, { kind: 'resources', id: uri });
}

async function followTask(
  call: Call,
  gate: Gate,
  { following, tasks, sealed }: { following: Following; tasks: Map<string, Followed>; sealed: string },
): Promise<Undo | undefined> {
  const owner = { principal: principalOf(call).id, tenant: call.tenant?.id ?? null };
  const task: TaskId | undefined = gate.tasks.open(sealed, owner);
  const server = task && reach(call, gate, task.server);
  // Whether its tool is held back is seen on the server's list.
  if (server)
    await gate.lists.settle(
      [gate.lists.peek(server, call.era, call.capabilities)],
      gate.settings.listDeadlineMs,
    );
  const target = task && reachTool(call, gate, task.server, task.tool);
  if (!task || !target || !gate.tasks.belongsTo(sealed, target)) return undefined;
  tasks.set(taskKey(task.server, task.own), { sealed, tool: task.tool });
  const topic = { kind: 'tasks', id: task.own } as const;
  const refused = await following.follow(task.server, target, topic, call.controller.signal);
  return refused ? undefined : () => following.drop(task.server, topic);
}

/** A task that is followed: the id that the client knows, and its tool. */
interface Followed {
  readonly sealed: string;
  readonly tool: string;
}

/** Which server tells of it, and what. */
interface News {
  readonly server: string;
  readonly topic: Topic;
}

function reachTopic(
  call: Call,
  gate: Gate,
  { server, topic }: News,
  tasks: ReadonlyMap<string, Followed>,
): Target | undefined {
  if (topic.kind === 'resources') return reachWhole(call, gate, server);
  const task = tasks.get(taskKey(server, topic.id));
  return task && reachTool(call, gate, server, task.tool);
}

/** A task goes by the id that the client knows, and its result is no longer than one that is asked for. */
function forClient(
  call: Call,
  gate: Gate,
  o: { message: RpcNotification; news: News; tasks: ReadonlyMap<string, Followed> },
): RpcNotification {
  const { message, news, tasks } = o;
  const task = tasks.get(taskKey(news.server, news.topic.id));
  if (!task) return message;
  const rawParams = editObject(message.rawParams ?? '{}', { taskId: JSON.stringify(task.sealed) });
  const target = reachTopic(call, gate, news, tasks);
  const cutting = target && cuttingFor(call, gate, { target, tool: task.tool, characters: rawParams.length });
  return { ...message, rawParams: (cutting && cutTask(rawParams, cutting)) ?? rawParams };
}

/** SEP-2663: whoever asks for news of tasks must know what tasks are. */
function requireTasks(call: Call): void {
  const envelope = requestOf(call).params?.['_meta'];
  const declared = isObject(envelope) ? envelope[meta.clientCapabilities] : undefined;
  const extensions = isObject(declared) ? declared['extensions'] : undefined;
  if (isObject(extensions) && tasksExtension in extensions) return;
  const requiredCapabilities = { extensions: { [tasksExtension]: {} } };
  throw new WireError(400, rpcCode.missingCapability, 'Missing required client capability', {
    requiredCapabilities,
  });
}

function textsIn(filter: Readonly<Record<string, unknown>>, name: string, most: number): string[] {
  const value = filter[name];
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidParams(`"params.notifications.${name}" must be an array.`);
  const texts = value.filter((one): one is string => typeof one === 'string');
  // What is beyond is not honoured, and the acknowledgement says so.
  return [...new Set(texts)].slice(0, most);
}

function taskKey(server: string, own: string): string {
  return `${server} ${own}`;
}

function withSubscription(rawParams: string, rawId: RawId): string {
  const span = findMember(membersOf(rawParams), '_meta');
  const rawMeta = span ? rawParams.slice(span.start, span.end) : '{}';
  return editObject(rawParams, { _meta: editObject(rawMeta, { [meta.subscriptionId]: rawId }) });
}
