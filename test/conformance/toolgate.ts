import { startProgram } from '../e2e/program.ts';

/** A running Toolgate in front of some upstreams, and what a client must send to be let in. */
export interface RunningToolgate {
  /** The endpoint that passes an upstream through: `http://127.0.0.1:PORT/mcp/{server}`. */
  urlOf(server: string): string;
  readonly headers: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const user = 'tester@example.com';

/** Starts the program as an operator would: data directory, config file, environment, a token from the admin API. */
export async function startToolgate(upstreams: Readonly<Record<string, string>>): Promise<RunningToolgate> {
  const servers = Object.entries(upstreams).map(([id, url]) => [id, { type: 'http', url }]);
  const gate = await startProgram({
    config: {
      mcpServers: Object.fromEntries(servers),
      groups: { Testers: { servers: Object.keys(upstreams) } },
      users: { [user]: { groups: ['Testers'] } },
      network: { allow: ['127.0.0.0/8'] },
    },
    // The suite is one user who makes hundreds of calls in a few seconds.
    env: { RATE_LIMIT_ENABLED: 'false' },
  });
  try {
    const token = await gate.tokenFor(user);
    const headers = { Authorization: `Bearer ${token}` };
    return { urlOf: (server) => `${gate.url}/mcp/${server}`, headers, close: gate.close };
  } catch (error) {
    await gate.close();
    throw error;
  }
}
