import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { gatewayWorld } from '../../../test/gateway-world.ts';

const nothing = {
  servers: { ok: {} },
  groups: { all: { servers: ['ok'] } },
  users: { 'alice@acme.com': { groups: ['all'] } },
};

describe('the connection after an error', () => {
  const head = (length: number) =>
    `POST /mcp/ok HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n`;
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

  test.each([
    ['without a credential', `${head(50_000)}\r\n${'x'.repeat(50_000)}`, '401'],
    [
      'too large by its own word',
      `${head(300_000)}Authorization: Bearer alice@acme.com\r\n\r\n${' '.repeat(300_000)}`,
      '413',
    ],
    [
      'too large without saying so',
      `POST /mcp/ok HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer alice@acme.com\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n${' '.repeat(300_000)}\r\n0\r\n\r\n`,
      '413',
    ],
    [
      'of another type',
      `${head(50_000).replace('application/json', 'text/plain')}Authorization: Bearer alice@acme.com\r\n\r\n${'x'.repeat(50_000)}`,
      '415',
    ],
  ])('serves the next request after one %s', async (_what, first, status) => {
    const world = await gatewayWorld(nothing);
    const socket = connect(world.port, '127.0.0.1');
    let heard = '';
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    socket.write(first);
    await expect.poll(() => heard).toContain(`HTTP/1.1 ${status}`);
    socket.write(`${head(ping.length)}Authorization: Bearer alice@acme.com\r\n\r\n${ping}`);
    await expect.poll(() => heard).toContain('HTTP/1.1 200');
    socket.destroy();
  });
});
