import { type Call, type Gate, requestOf } from '../call.ts';
import type { Known } from '../lists/known.ts';
import { kindOfMethod, type ListKind } from '../lists/kinds.ts';
import { viewerOf } from '../meta/own-tools.ts';
import { metaListOf } from '../meta/serve.ts';
import { verdictOn } from '../meta/verdict.ts';
import { meta } from '../rpc/protocol.ts';
import { gateInfo } from '../upstreams/handshake.ts';

/** How long a modern client may keep a list before asking again, in milliseconds; a change is announced anyway. */
const listTtl = 5_000;

const modernTail = `,"resultType":"complete","ttlMs":${listTtl},"cacheScope":"private","_meta":{"${meta.serverInfo}":${JSON.stringify(gateInfo)}}`;

/** What is known of each of the call's servers; waits for those that were never asked, within the deadline. */
export async function knownServers(
  call: Call,
  gate: Gate,
  kind: ListKind = 'tools',
): Promise<readonly Known[]> {
  const known = call.targets.map((target) => gate.lists.peek(target, call.era, call.capabilities, kind));
  await gate.lists.settle(known, gate.settings.listDeadlineMs, kind);
  return known;
}

/** One page of tools, prompts, resources or templates, as this caller may see them. */
export async function serveList(call: Call, gate: Gate): Promise<void> {
  const request = requestOf(call);
  const kind = kindOfMethod(request.method);
  if (kind === undefined) throw new Error(`${request.method} is no list`);
  const known = await knownServers(call, gate, kind);
  const tail = call.era === 'modern' ? `${modernTail}}` : '}';
  if (kind === 'tools' && showsMeta(call, gate, known)) {
    call.response = { kind: 'local', rawResult: `{${metaListOf(call, call.servers)}${tail}` };
    return;
  }
  const page = gate.views.page(viewerOf(call, gate), kind, known, request.params?.['cursor']);
  call.response = {
    kind: 'local',
    parts: [Buffer.from('{'), page, Buffer.from(tail)],
    get rawResult() {
      return `{${page.toString()}${tail}`;
    },
  };
}

/** Does this caller see three tools instead of all? `known` are the lists of all of its servers. */
export function showsMeta(call: Call, gate: Gate, known: readonly Known[]): boolean {
  const verdict = verdictOn(call, gate);
  const shows =
    typeof verdict === 'string'
      ? verdict === 'meta'
      : gate.views.view(viewerOf(call, gate), 'tools', known).items.length > verdict.above;
  if (shows) call.mode = 'meta';
  return shows;
}
