import { type Call, type Gate, requestOf } from '../call.ts';
import type { Known } from '../lists/known.ts';
import { verdictOn } from '../meta/verdict.ts';
import { isObject } from '../rpc/message.ts';
import { latestLegacy, legacyVersions, meta, modernVersions } from '../rpc/protocol.ts';
import { announcedExtensions, type ExtensionPolicy, tasksExtension } from '../upstreams/extensions.ts';
import { gateInfo, type Hello } from '../upstreams/handshake.ts';
import { knownServers, showsMeta } from './lists.ts';

const discoverTtl = 5_000;
const longestInstructions = 32_000;
/** The same where three tools stand for all, for each server and in all. */
const longestLine = 200;
const longestBrief = 4_000;
const howToSearch =
  'Find tools with search_tools, read about them with describe_tools, and call them with call_tool.';

/** What the merged endpoint can do: whatever its servers can. */
const mergedCapabilities = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  completions: {},
  logging: {},
};

/** `initialize` (2025-11-25 basic/lifecycle.mdx). The session is the face's business. */
export async function serveInitialize(call: Call, gate: Gate): Promise<void> {
  const about = await describe(call, gate);
  const { capabilities, serverInfo, instructions } = about;
  call.response = {
    kind: 'local',
    rawResult: JSON.stringify({
      protocolVersion: negotiated(requestOf(call).params),
      capabilities,
      serverInfo,
      instructions,
    }),
  };
}

/** `server/discover` (2026-07-28 server/discover.mdx). */
export async function serveDiscover(call: Call, gate: Gate): Promise<void> {
  const { capabilities, serverInfo, instructions } = await describe(call, gate);
  const modern = Object.fromEntries(Object.entries(capabilities).filter(([name]) => name !== 'logging'));
  call.response = {
    kind: 'local',
    rawResult: JSON.stringify({
      resultType: 'complete',
      supportedVersions: modernVersions,
      capabilities: modern,
      instructions,
      ttlMs: discoverTtl,
      cacheScope: 'private',
      _meta: { [meta.serverInfo]: serverInfo },
    }),
  };
}

/** The revision asked for when the gate speaks it, else the newest legacy one. */
export function negotiated(params: Readonly<Record<string, unknown>> | undefined): string {
  const wanted = params?.['protocolVersion'];
  return legacyVersions.find((version) => version === wanted) ?? latestLegacy;
}

interface About {
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly serverInfo: unknown;
  readonly instructions: string | undefined;
}

async function describe(call: Call, gate: Gate): Promise<About> {
  if (call.path.server === null) {
    // Only where the number of tools decides what is said, all of them have to be known.
    const isCounted = typeof verdictOn(call, gate) !== 'string';
    const known = isCounted
      ? await knownServers(call, gate)
      : call.targets.map((target) => gate.lists.peek(target, call.era, call.capabilities));
    return {
      capabilities:
        call.era === 'modern' ? { ...mergedCapabilities, ...mergedExtensions(known) } : mergedCapabilities,
      serverInfo: gateInfo,
      instructions: showsMeta(call, gate, known) ? briefInstructions(known) : mergedInstructions(known),
    };
  }
  const [known] = await knownServers(call, gate);
  const hello = known?.hello;
  // A server that is away now may be back for the first call, which will then say what is wrong.
  if (!hello) return { capabilities: mergedCapabilities, serverInfo: gateInfo, instructions: undefined };
  return {
    capabilities: ownCapabilities(call, hello, known.target.server.definition.extensions),
    serverInfo: hello.serverInfo ?? gateInfo,
    instructions: hello.instructions,
  };
}

/**
 * The server's own, with changes announced always (rights change even where tools do not), and without the tasks of
 * 2025-11-25. The tasks extension is there where both sides speak the modern era; other extensions pass by the
 * server's policy.
 */
function ownCapabilities(
  call: Call,
  { capabilities, era }: Hello,
  policy: ExtensionPolicy,
): Record<string, unknown> {
  const { tasks: _tasks, extensions, ...rest } = capabilities;
  const own: Record<string, unknown> = { ...rest };
  for (const kind of ['tools', 'prompts', 'resources']) {
    const value = own[kind];
    if (isObject(value)) own[kind] = { ...value, listChanged: true };
  }
  const except = call.era === 'modern' && era === 'modern' ? [] : [tasksExtension];
  const announced = announcedExtensions(policy, extensions, except);
  return Object.keys(announced).length === 0 ? own : { ...own, extensions: announced };
}

/** Tasks, when a server that has been met has them. Other extensions mean one server, which the merged endpoint hides. */
function mergedExtensions(known: readonly Known[]): { extensions?: object } {
  const has = known.some(({ hello, target }) => {
    if (hello?.era !== 'modern') return false;
    return (
      tasksExtension in
      announcedExtensions(target.server.definition.extensions, hello.capabilities['extensions'])
    );
  });
  return has ? { extensions: { [tasksExtension]: {} } } : {};
}

/** Where three tools stand for all of them, so do the first lines for the instructions: they are to save tokens too. */
function briefInstructions(known: readonly Known[]): string {
  const lines = known.flatMap(({ hello, target }) => {
    const [first = ''] = hello?.instructions?.trim().split('\n') ?? [];
    return first === '' ? [] : [`- ${target.server.id}: ${first.slice(0, longestLine)}`];
  });
  const servers = lines.length === 0 ? [] : ['What some of the servers say of themselves:', ...lines];
  return [howToSearch, ...servers].join('\n').slice(0, longestBrief);
}

/** What each server wants a model to know, under its name; of servers that have been met already. */
function mergedInstructions(known: readonly Known[]): string | undefined {
  const parts = known.flatMap((one) =>
    one.hello?.instructions ? [`# ${one.target.server.id}\n${one.hello.instructions}`] : [],
  );
  return parts.length === 0 ? undefined : parts.join('\n\n').slice(0, longestInstructions);
}
