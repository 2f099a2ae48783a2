import type { SnapshotServer } from '../../access/index.ts';
import { type Call, type Gate, requestOf } from '../call.ts';
import { isObject } from '../rpc/message.ts';
import { describeTools } from './describe-tools.ts';
import { ownTools } from './own-tools.ts';
import { searchTools } from './search-tools.ts';
import { metaTools } from './tools.ts';

/** Open WebUI hands its models both forms of a result, so it gets one. */
export function metaListOf(call: Call, servers: readonly SnapshotServer[]): string {
  return metaTools(servers, call.audience !== 'open-webui');
}

/** `search_tools` and `describe_tools`: answered from what the caller may see. */
export async function serveMetaTool(call: Call, gate: Gate): Promise<void> {
  const own = await ownTools(call, gate, call.servers);
  const given = requestOf(call).params?.['arguments'];
  const asked = isObject(given) ? given : {};
  const serve = call.metaTool === 'search_tools' ? searchTools : describeTools;
  const { text, isStructured } = await serve(gate.toolIndexes, own, asked);
  const structured = isStructured && call.audience !== 'open-webui' ? `,"structuredContent":${text}` : '';
  const type = call.era === 'modern' ? ',"resultType":"complete"' : '';
  const content = `[{"type":"text","text":${JSON.stringify(text)}}]`;
  call.response = { kind: 'local', rawResult: `{"content":${content}${structured},"isError":false${type}}` };
}
