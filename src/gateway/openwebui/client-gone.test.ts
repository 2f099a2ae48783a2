// Clients that are gone before it is known who they are: nothing is told of their end any more.
import { expect, test } from 'vitest';
import { handshakeText, openWebUiWorld, requestText } from '../../../test/open-webui-world.ts';

const cookie = 'Cookie: token=session-alice';
const socketPath = '/ws/socket.io/?EIO=4&transport=websocket';

/** More than a person may have at a time. */
const many = 101;

test.each([
  ['handshakes', handshakeText(socketPath, cookie)],
  ['requests', requestText('GET /hold HTTP/1.1', 'Host: a', cookie)],
  ['uploads', requestText('POST /hold HTTP/1.1', 'Host: a', cookie, 'Content-Length: 5')],
])('%s of clients that are gone reach nobody, keep no place and are recorded', async (_what, text) => {
  const { site, raw, records, lookups, asked, mount } = await openWebUiWorld();
  const { promise, resolve: go } = Promise.withResolvers<void>();
  lookups.until = promise;
  const lost = await Promise.all(Array.from({ length: many }, () => raw(text)));
  await expect.poll(() => asked.length).toBe(many);
  for (const { socket } of lost) socket.resetAndDestroy();
  // A request behind them is at the door only when their ends are known.
  const last = await raw(requestText('GET /gateway/jwks.json HTTP/1.1', 'Host: a'));
  await expect.poll(last.text).toContain('"keys"');
  go();
  await expect.poll(() => records.length).toBe(many);
  expect(new Set(records.map(({ outcome, reason }) => `${outcome} ${reason}`))).toEqual(
    new Set(['cancelled client_gone']),
  );
  expect(site.arrived).toEqual([]);
  expect(mount.sockets()).toBe(0);
  const connection = await raw(handshakeText(socketPath, cookie));
  await expect.poll(connection.text).toContain('hello');
});
