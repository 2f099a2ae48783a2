import { randomUUID } from 'node:crypto';
import type { Kind } from './kinds.ts';
import { describeTool, usualTools } from './tools.ts';
import { type Host, numberOption, type RpcMessage, type RpcRequest, send, type Wire } from './wire.ts';

export const legacyVersions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
export const modernVersion = '2026-07-28';

const metaPrefix = 'io.modelcontextprotocol/';
/** Methods of the legacy era that it says yes to and no more. */
const empty: readonly string[] = ['ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe'];

/** A server of one kind, without a transport: it is given messages and answers them on a wire. */
export class FakeServer implements Host {
  readonly name: string;
  readonly kind: Kind;
  readonly options: URLSearchParams;
  readonly counts: Record<string, number> = {};
  ticks = 0;
  readonly #asked = new Map<string, (answer: RpcMessage) => void>();
  readonly #timer: NodeJS.Timeout | undefined;

  /** `broadcast` sends a message to whoever listens, unasked. */
  constructor(
    name: string,
    {
      kind,
      options,
      broadcast,
    }: { kind: Kind; options: URLSearchParams; broadcast(message: RpcMessage): void },
  ) {
    this.name = name;
    this.kind = kind;
    this.options = options;
    if (!kind.changes) return;
    this.#timer = setInterval(
      () => {
        this.ticks += 1;
        broadcast({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
      },
      numberOption(options, 'ms', 50),
    );
  }

  /** Takes in a notification or the answer to something this server asked. */
  take(message: RpcMessage): void {
    if (typeof message['method'] === 'string') this.#count(message['method']);
    else this.#asked.get(String(message['id']))?.(message);
  }

  /** Resolves when nothing more will be sent for this request. */
  async answer(request: RpcRequest, wire: Wire): Promise<void> {
    this.#count(request.method);
    const on = this.options.get('on')?.split(',') ?? this.kind.on ?? ['tools/call'];
    const honest = () => this.#honest(request, wire);
    if (this.kind.instead && (on.includes('*') || on.includes(request.method))) {
      await this.kind.instead({ request, wire, host: this, honest });
      return;
    }
    const answer = await honest();
    if (!wire.signal.aborted) send(wire, answer);
  }

  ask(wire: Wire, method: string, params: RpcMessage): Promise<RpcMessage> {
    const id = `ask-${randomUUID()}`;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      send(wire, { jsonrpc: '2.0', id, method, params });
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #count(method: string): void {
    this.counts[method] = (this.counts[method] ?? 0) + 1;
  }

  async #honest(request: RpcRequest, wire: Wire): Promise<RpcMessage> {
    const answer = this.kind.modern ? await this.#modern(request, wire) : await this.#legacy(request, wire);
    return { jsonrpc: '2.0', id: request.id, ...answer };
  }

  async #legacy(request: RpcRequest, wire: Wire): Promise<RpcMessage> {
    if (empty.includes(request.method)) return { result: {} };
    if (request.method !== 'initialize') return this.#either(request, wire);
    const asked = String(request.params?.['protocolVersion']);
    const protocolVersion = legacyVersions.includes(asked) ? asked : legacyVersions[0];
    const capabilities = { tools: { listChanged: true }, logging: {} };
    return { result: { protocolVersion, capabilities, serverInfo: this.#info() } };
  }

  async #modern(request: RpcRequest, wire: Wire): Promise<RpcMessage> {
    const meta = request.params?.['_meta'] as Record<string, unknown> | undefined;
    const requested = meta?.[`${metaPrefix}protocolVersion`] ?? request.params?.['protocolVersion'];
    if (requested !== modernVersion) {
      wire.status = 400;
      const data = { supported: [modernVersion], requested: String(requested) };
      return { error: { code: -32022, message: 'Unsupported protocol version', data } };
    }
    const answer = await this.#either(request, wire);
    if (!('result' in answer)) return answer;
    const stamps = { resultType: 'complete', _meta: { [`${metaPrefix}serverInfo`]: this.#info() } };
    const caching = request.method === 'tools/call' ? {} : { ttlMs: 0, cacheScope: 'private' };
    return { result: { ...stamps, ...caching, ...(answer['result'] as RpcMessage) } };
  }

  async #either({ method, params, id }: RpcRequest, wire: Wire): Promise<RpcMessage> {
    const tools = this.kind.tools ?? usualTools;
    if (method === 'server/discover' && this.kind.modern) {
      return { result: { supportedVersions: [modernVersion], capabilities: { tools: {} } } };
    }
    if (method === 'tools/list') {
      const cursor = typeof params?.['cursor'] === 'string' ? params['cursor'] : undefined;
      if (this.kind.page) return { result: this.kind.page(cursor, this) };
      return { result: { tools: Object.entries(tools).map(([name, tool]) => describeTool(name, tool)) } };
    }
    if (method !== 'tools/call') {
      if (this.kind.modern) wire.status = 404;
      return { error: { code: -32601, message: `Method not found: ${method}` } };
    }
    const name = String(params?.['name']);
    const tool = Object.hasOwn(tools, name) ? tools[name] : undefined;
    if (!tool) return { error: { code: -32602, message: `Unknown tool: ${name}` } };
    const args = (params?.['arguments'] ?? {}) as Record<string, unknown>;
    const text = await tool.call({ args, request: { id, method, params }, wire, host: this });
    return { result: { content: [{ type: 'text', text }] } };
  }

  #info(): RpcMessage {
    return { name: `fake-${this.name}`, version: '1.0.0' };
  }
}
