import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { headerIn, onMessages, type RawMessage } from './raw-http.ts';
import { answerText, tokenOf } from './scenario.ts';

/** Where to speak, and how. */
export interface Wire {
  readonly origin: string;
  readonly path: string;
  readonly era: 'legacy' | 'modern';
  /** The tool's name at this address. */
  readonly tool: string;
}

interface Page {
  readonly body: Buffer;
  readonly tools: number;
  readonly cursor: string | undefined;
}

const version = { legacy: '2025-11-25', modern: '2026-07-28' } as const;

/** One client on one connection. Every answer is checked; a wrong one throws. */
export class McpClient {
  readonly #socket: Socket;
  readonly #wire: Wire;
  #pending: { resolve(message: RawMessage): void; reject(error: Error): void } | undefined;
  #call: Buffer = Buffer.alloc(0);
  #answer: Buffer = Buffer.alloc(0);
  /** What tools/list answered before, by cursor: every user here has the same rights. */
  readonly #pages = new Map<string | undefined, Page>();

  private constructor(socket: Socket, wire: Wire) {
    this.#socket = socket;
    this.#wire = wire;
    const failed = (error?: Error) => {
      this.#pending?.reject(error ?? new Error(`${wire.origin}${wire.path} closed the connection`));
      this.#pending = undefined;
    };
    socket.on('error', failed);
    socket.on('close', () => failed());
    onMessages(socket, (message) => {
      const pending = this.#pending;
      this.#pending = undefined;
      pending?.resolve(message);
    });
  }

  /** Connects as the user of that number; a legacy client opens its session. */
  static async connect(wire: Wire, user: number): Promise<McpClient> {
    const { hostname, port } = new URL(wire.origin);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    const client = new McpClient(socket, wire);
    const session = wire.era === 'legacy' ? await client.initialize(user) : undefined;
    client.#prepare(user, session);
    return client;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** The measured call: what is sent and what must come back are known beforehand, byte for byte. */
  async call(): Promise<void> {
    const { head, body } = await this.#exchange(this.#call);
    if (!body.equals(this.#answer))
      throw new Error(
        `wrong answer from ${this.#wire.origin}${this.#wire.path}:\n${head}\n${body.toString()}`,
      );
  }

  async initialize(user: number): Promise<string> {
    const params = {
      protocolVersion: version.legacy,
      capabilities: {},
      clientInfo: { name: 'bench', version: '1' },
    };
    const { head, body } = await this.#post(user, undefined, 'initialize', params);
    const session = headerIn(head, 'mcp-session-id');
    if (!session || !body.includes('"protocolVersion":"2025-11-25"'))
      throw new Error(`initialize failed:\n${head}\n${body.toString()}`);
    return session;
  }

  /** `initialize` and all pages of `tools/list`, which must hold so many tools. */
  async hello(user: number, tools: number): Promise<void> {
    const session = await this.initialize(user);
    let cursor: string | undefined;
    let found = 0;
    do {
      const { body } = await this.#post(user, session, 'tools/list', cursor === undefined ? {} : { cursor });
      const page = this.#pages.get(cursor) ?? pageOf(body);
      if (!page.body.equals(body))
        throw new Error('two users with the same rights were shown different tools');
      this.#pages.set(cursor, page);
      found += page.tools;
      cursor = page.cursor;
    } while (cursor !== undefined);
    if (found !== tools) throw new Error(`tools/list showed ${found} tools instead of ${tools}`);
  }

  #prepare(user: number, session: string | undefined): void {
    const { era, tool } = this.#wire;
    const id = String(1_000 + user);
    const note = `note of ${user}`;
    const envelope = {
      'io.modelcontextprotocol/protocolVersion': version.modern,
      'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const params = {
      name: tool,
      arguments: { note, limit: 20 },
      ...(era === 'modern' && { _meta: envelope }),
    };
    const text = `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${JSON.stringify(params)}}`;
    this.#call = this.#request(
      user,
      text,
      era === 'legacy'
        ? sessionHeaders(session)
        : `Mcp-Protocol-Version: ${version.modern}\r\nMcp-Method: tools/call\r\nMcp-Name: ${tool}\r\n`,
    );
    this.#answer = Buffer.from(answerText(id, note, era === 'modern'));
  }

  #post(user: number, session: string | undefined, method: string, params: unknown): Promise<RawMessage> {
    return this.#exchange(
      this.#request(user, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }), sessionHeaders(session)),
    );
  }

  #request(user: number, text: string, headers: string): Buffer {
    const { origin, path } = this.#wire;
    return Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: ${new URL(origin).host}\r\nAuthorization: Bearer ${tokenOf(user)}\r\n` +
        `Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nUser-Agent: bench/1\r\n` +
        `${headers}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
  }

  #exchange(request: Buffer): Promise<RawMessage> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#socket.write(request);
    });
  }
}

function sessionHeaders(session: string | undefined): string {
  return session === undefined
    ? ''
    : `Mcp-Protocol-Version: ${version.legacy}\r\nMcp-Session-Id: ${session}\r\n`;
}

function pageOf(body: Buffer): Page {
  const message = JSON.parse(body.toString()) as { result?: { tools: unknown[]; nextCursor?: string } }; // of the gate under test; a wrong shape throws
  if (!message.result) throw new Error(`tools/list failed: ${body.toString()}`);
  return { body: Buffer.from(body), tools: message.result.tools.length, cursor: message.result.nextCursor };
}
