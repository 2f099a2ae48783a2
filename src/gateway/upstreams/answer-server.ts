import type { Log } from '../../platform/log.ts';
import type { Connector } from '../connectors/contract.ts';
import { errorText, type RpcRequest, resultText } from '../rpc/message.ts';
import { rpcCode } from '../rpc/protocol.ts';
import type { ClientAnswer } from './outgoing.ts';

const sendTimeout = 10_000;

/**
 * Answers a request of a server: pings here, everything else by asking the client. A request that cannot be laid at
 * one caller's door (`ask` is undefined) is refused: asking the wrong person would leak.
 */
export function answerServer(
  connector: Connector,
  message: RpcRequest,
  o: { name: string; log: Log; ask: ((message: RpcRequest) => Promise<ClientAnswer>) | undefined },
): void {
  answerTo(message, o.ask)
    .then((answer) => connector.send(textOf(message, answer), AbortSignal.timeout(sendTimeout)))
    .catch((error: unknown) =>
      o.log.debug({ server: o.name, err: error }, 'answer to the server was not delivered'),
    );
}

async function answerTo(
  message: RpcRequest,
  ask: ((message: RpcRequest) => Promise<ClientAnswer>) | undefined,
): Promise<ClientAnswer> {
  if (message.method === 'ping') return { rawResult: '{}' };
  if (ask) return ask(message);
  return {
    rawError: `{"code":${rpcCode.methodNotFound},"message":"No client is there to answer this request"}`,
  };
}

function textOf({ rawId }: RpcRequest, answer: ClientAnswer): string {
  return 'rawResult' in answer ? resultText(rawId, answer.rawResult) : errorText(rawId, answer.rawError);
}
