import { expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { ask, closeLater } from './clients.ts';
import { configOf, eventually, query, startGate } from './gate.ts';
import { refusedRequests } from './refused-requests.ts';

const upstream = closeLater(await startHostileHttp());
const gate = await startGate({ config: configOf({ plain: { type: 'http', url: upstream.url('ok') } }) });
const token = await gate.tokenFor('alice@acme.com');
await eventually('the tools are known', async () => {
  const { text } = await ask({ url: `${gate.url}/mcp`, token }, 'tools/list');
  return text.includes('plain__echo');
});

/** Everything that was recorded of the requests that call themselves so. */
function recordsOf(agent: string) {
  const { databaseUrl = '' } = gate;
  return query(databaseUrl, `select * from mcp_proxy.api_analytics where user_agent = '${agent}'`);
}

test.each(refusedRequests.map((one) => [one.what, one] as const))(
  'a request that is refused has one record: %s',
  async (what, { where, status, init }) => {
    const { headers, ...rest } = init(token);
    const agent = `refused ${what}`;
    const response = await fetch(`${gate.url}${where}`, {
      ...rest,
      headers: { ...(headers as Record<string, string>), 'user-agent': agent },
    });
    await response.body?.cancel();
    expect(response.status).toBe(status);
    await eventually('the record is stored', async () => (await recordsOf(agent)).length > 0);
    const records = await recordsOf(agent);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      outcome: expect.not.stringMatching(/^ok$/),
      reason: expect.any(String),
    });
  },
);
