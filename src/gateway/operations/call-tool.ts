import { type Call, type Gate, requestOf } from '../call.ts';
import { mayHoldExtra, unflattenArguments } from '../lists/flatten.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';
import { toOneServer } from './one-server.ts';

/** `tools/call`, with the arguments as the tool's own schema has them, whatever schema the client was shown. */
export function callTool(call: Call, gate: Gate): Promise<void> {
  const rawParams = call.rawParams ?? requestOf(call).rawParams;
  // A specification shows the tool's own schema, to Open WebUI too.
  const sawFlat = call.audience === 'open-webui' && call.face !== 'openapi';
  return sawFlat && rawParams !== undefined && mayHoldExtra(rawParams)
    ? callFlat(call, gate, rawParams)
    : toOneServer(call, gate);
}

async function callFlat(call: Call, gate: Gate, rawParams: string): Promise<void> {
  const rawTool = await toolText(call, gate);
  const span = findMember(membersOf(rawParams), 'arguments');
  if (rawTool !== undefined && span) {
    const own = unflattenArguments(rawTool, rawParams.slice(span.start, span.end));
    call.rawParams = editObject(rawParams, { arguments: own });
  }
  return toOneServer(call, gate);
}

/** The tool as its server lists it. */
async function toolText(call: Call, gate: Gate): Promise<string | undefined> {
  const [target] = call.targets;
  if (!target) return undefined;
  const known = gate.lists.peek(target, call.era, call.capabilities);
  await gate.lists.settle([known], gate.settings.listDeadlineMs);
  return known.lists.get('tools')?.find(({ key }) => key === call.tool)?.raw;
}
