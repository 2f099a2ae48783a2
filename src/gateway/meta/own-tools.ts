import type { SnapshotServer } from '../../access/index.ts';
import { type Call, type Gate, principalOf } from '../call.ts';
import { connectable } from '../connect/connect-tool.ts';
import type { Known } from '../lists/known.ts';
import type { View, Viewer } from '../lists/view.ts';
import { targetOf } from '../steps/attach-credentials.ts';
import type { ServerWords, ToolIndex } from './tool-index.ts';
import type { ToolIndexes } from './tool-indexes.ts';

/** The tools that this caller sees, exactly those of tools/list. */
export interface OwnTools {
  readonly view: View;
  readonly known: readonly Known[];
  readonly servers: readonly SnapshotServer[];
}

export function viewerOf(call: Call, gate: Gate, servers: readonly SnapshotServer[] = call.servers): Viewer {
  const { snapshot, path, audience, era } = call;
  const seen = {
    principal: principalOf(call),
    now: gate.clock(),
    connectable: connectable(call, gate, servers),
  };
  return { snapshot, audience, server: path.server, era, ...seen };
}

/** Tools of these servers; waits for those that were never asked, within the deadline. */
export async function ownTools(
  call: Call,
  gate: Gate,
  servers: readonly SnapshotServer[],
): Promise<OwnTools> {
  const known = servers.flatMap((server) => {
    const target = targetOf(call, gate, server);
    return target === undefined ? [] : [gate.lists.peek(target, call.era, call.capabilities)];
  });
  if (known.some((one) => one.hello === undefined && one.failure === undefined))
    await gate.lists.settle(known, gate.settings.listDeadlineMs);
  return { view: gate.views.view(viewerOf(call, gate, servers), 'tools', known), known, servers };
}

export function indexOf(indexes: ToolIndexes, { view, servers }: OwnTools): Promise<ToolIndex> {
  return indexes.of(view, servers.map(wordsOf));
}

function wordsOf({ id, definition }: SnapshotServer): ServerWords {
  return { id, displayName: definition.displayName ?? '', description: definition.description ?? '' };
}
