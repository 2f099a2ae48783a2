/** Progress lines of a start, numbered on from those of the wrapper: `[3/4] Embedded database … 1.2 s`. */
export function createSteps(first: number, total: number) {
  let step = first - 1;
  return {
    async work<T>(label: string, work: () => Promise<T>): Promise<T> {
      step++;
      const began = performance.now();
      process.stderr.write(`[${step}/${total}] ${label} … `);
      try {
        const result = await work();
        process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1)} s\n`);
        return result;
      } catch (error) {
        process.stderr.write('failed\n');
        throw error;
      }
    },
  };
}

/** What a newcomer needs once everything runs: the address, how to sign in, and a config to paste into a client. */
export function banner(o: {
  url: string;
  dataDir: string;
  ownsAdminToken: boolean;
  tokens: readonly (readonly [user: string, token: string])[];
}): string {
  const lines = ['', `Toolgate is ready at ${o.url}`, ''];
  if (o.tokens.length > 0) {
    lines.push('  People to try it as (each sees other tools):');
    const width = Math.max(...o.tokens.map(([user]) => user.length));
    for (const [user, token] of o.tokens) lines.push(`    ${user.padEnd(width)}  ${token}`);
    const [user, token] = o.tokens[0] ?? ['', ''];
    const client = {
      mcpServers: {
        toolgate: { type: 'http', url: `${o.url}/mcp`, headers: { Authorization: `Bearer ${token}` } },
      },
    };
    lines.push(
      '',
      `  For an MCP client, as ${user}:`,
      ...JSON.stringify(client, null, 2)
        .split('\n')
        .map((line) => `    ${line}`),
    );
  }
  const where = o.ownsAdminToken ? `the token in ${o.dataDir}/admin-token` : 'your TOOLGATE_ADMIN_TOKEN';
  lines.push(
    '',
    `  Admin API: ${o.url}/mcp-admin/api (described at /openapi.json there), with ${where}.`,
    '  Stop with Ctrl-C.',
    '',
  );
  return lines.join('\n');
}
