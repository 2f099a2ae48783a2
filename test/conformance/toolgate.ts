import { startProgram } from '../e2e/program.ts';

/** A running Toolgate that serves one upstream, and what a client must send to be let in. */
export interface RunningToolgate {
  /** The endpoint that passes the upstream through: `http://127.0.0.1:PORT/mcp/conformance`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const user = 'tester@example.com';

/** Starts the program as an operator would: data directory, config file, environment, a token from the admin API. */
export async function startToolgate(upstreamUrl: string): Promise<RunningToolgate> {
  const gate = await startProgram({
    config: {
      mcpServers: { conformance: { type: 'http', url: upstreamUrl } },
      groups: { Testers: { servers: ['conformance'] } },
      users: { [user]: { groups: ['Testers'] } },
      network: { allow: ['127.0.0.0/8'] },
    },
  });
  try {
    const token = await gate.tokenFor(user);
    const headers = { Authorization: `Bearer ${token}` };
    return { url: `${gate.url}/mcp/conformance`, headers, close: gate.close };
  } catch (error) {
    await gate.close();
    throw error;
  }
}
