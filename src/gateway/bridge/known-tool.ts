import type { Call, Gate } from '../call.ts';
import type { ListItem } from '../lists/fetch-list.ts';
import type { Known } from '../lists/known.ts';
import { isObject } from '../rpc/message.ts';
import type { Target } from '../upstreams/target.ts';
import { type MirroredParam, mirroredParams } from './param-headers.ts';
import { isObjectSchema } from './output-schema.ts';

/** What the bridge has to know of a tool before it can call it for a client of the other era. */
export interface KnownTool {
  readonly mirrored: readonly MirroredParam[];
  /** Its results are no objects, so legacy callers get them wrapped. */
  readonly isWrapped: boolean;
}

/** Lists are replaced as a whole, never changed: what was read of one holds as long as the list does. */
const byList = new WeakMap<readonly ListItem[], Map<string, ListItem>>();
const read = new WeakMap<ListItem, KnownTool>();

/** The tool that the call names, as last listed; undefined when the list is not there or does not have it. */
export function knownTool(call: Call, gate: Gate, target: Target): KnownTool | undefined {
  const item = call.tool === null ? undefined : itemNamed(listsOf(call, gate, target), call.tool);
  if (!item) return undefined;
  const found = read.get(item);
  if (found) return found;
  const tool: unknown = JSON.parse(item.raw);
  const { inputSchema, outputSchema } = isObject(tool) ? tool : {};
  const known = {
    mirrored: mirroredParams(inputSchema),
    isWrapped: outputSchema !== undefined && !isObjectSchema(outputSchema),
  };
  read.set(item, known);
  return known;
}

/** Waits for the first look at the server's tools, if that is still to come; undefined when nothing is to wait for. */
export function toolsSeen(call: Call, gate: Gate, target: Target): Promise<void> | undefined {
  const known = call.tool === null ? undefined : listsOf(call, gate, target);
  if (!known || known.hello !== undefined || known.failure !== undefined) return undefined;
  return gate.lists.settle([known], gate.settings.listDeadlineMs);
}

function listsOf(call: Call, gate: Gate, target: Target): Known {
  return gate.lists.peek(target, call.era, call.capabilities);
}

function itemNamed(known: Known, name: string): ListItem | undefined {
  const tools = known.lists.get('tools');
  if (!tools) return undefined;
  let names = byList.get(tools);
  if (!names) {
    names = new Map(tools.map((item) => [item.key, item]));
    byList.set(tools, names);
  }
  return names.get(name);
}
