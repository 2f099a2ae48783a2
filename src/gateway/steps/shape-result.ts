import { toolsSeen } from '../bridge/known-tool.ts';
import type { Call, Gate } from '../call.ts';
import { readableResult } from '../faces/tool-result.ts';
import type { RpcResponse } from '../rpc/message.ts';
import { type Cutting, cutResult, cutTask } from '../shaping/cut-result.ts';
import { cuttingFor } from '../shaping/cutting.ts';

const cuts = new Map<string, (rawResult: string, cutting: Cutting) => string | undefined>([
  ['tools/call', cutResult],
  ['tasks/get', cutTask],
]);

/** Takes care that one tool's result does not fill the context of a model. What is short enough is not touched. */
export function shapeResult(call: Call, gate: Gate): Promise<void> | void {
  const { response, tool, message } = call;
  const [target] = call.targets;
  if (response?.kind !== 'response' || response.rawResult === undefined || !target || tool === null) return;
  const cut = message?.kind === 'request' ? cuts.get(message.method) : undefined;
  if (!cut) return;
  const { rawResult } = response;
  const cutting = cuttingFor(call, gate, { target, tool, characters: rawResult.length });
  if (!cutting) return;
  const shape = () => {
    const shown = cut(singleFor(call, rawResult), cutting);
    if (shown !== undefined) call.response = { ...response, rawResult: shown } satisfies RpcResponse;
  };
  // A client of another process may know the schema that this one has yet to see.
  const seeing = rawResult.includes('"structuredContent"') ? toolsSeen(call, gate, target) : undefined;
  return seeing ? seeing.then(shape) : shape();
}

/** Open WebUI gets a result once, as data or as text; once both are cut nobody can tell that they said the same. */
function singleFor(call: Call, rawResult: string): string {
  return call.audience === 'open-webui' ? readableResult(rawResult) : rawResult;
}
