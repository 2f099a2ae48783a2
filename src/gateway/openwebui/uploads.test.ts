import { expect, test } from 'vitest';
import { openWebUiWorld, rawConnection, requestText } from '../../../test/open-webui-world.ts';

const length = 20_000_000;
const head = (path: string) =>
  requestText(`POST ${path} HTTP/1.1`, 'Host: a', 'Connection: close', `Content-Length: ${length}`);

test('a client is not blamed for an Open WebUI that reads nothing for long', async () => {
  const stalledMs = 1_000;
  const { site, port, records } = await openWebUiWorld({ times: { stalledMs } });
  site.before = (req) => {
    req.pause();
    setTimeout(() => req.resume(), 3 * stalledMs);
    return false;
  };
  const { socket, text, closed } = await rawConnection(port, head('/echo'));
  socket.write(Buffer.alloc(length));
  await closed;
  expect(text()).toMatch(new RegExp(`^HTTP/1\\.1 200 [\\s\\S]*"bytes":${length}`));
  await expect.poll(() => records).toMatchObject([{ outcome: 'ok', bytesIn: length }]);
});

test('an Open WebUI that reads nothing at all is too slow', async () => {
  const { port, records } = await openWebUiWorld({ times: { stalledMs: 200, silentMs: 1_000 } });
  const { socket, text, closed } = await rawConnection(port, head('/unread'));
  socket.write(Buffer.alloc(length));
  await closed;
  expect(text()).toMatch(/^HTTP\/1\.1 504 [\s\S]*open_webui_slow/);
  await expect
    .poll(() => records)
    .toMatchObject([{ outcome: 'timeout', status: 504, reason: 'open_webui_slow' }]);
});

test('a client that stops in the middle of an upload is told so', async () => {
  const { site, port, records, mount } = await openWebUiWorld({ times: { stalledMs: 300 } });
  const { socket, text, closed } = await rawConnection(port, head('/echo'));
  socket.write(Buffer.alloc(100_000));
  await closed;
  expect(text()).toMatch(/^HTTP\/1\.1 408 [\s\S]*upload_stalled/);
  await expect
    .poll(() => records)
    .toMatchObject([{ outcome: 'bad_request', status: 408, reason: 'upload_stalled' }]);
  await expect.poll(() => site.last('/echo').wasLeft).toBe(true);
  expect(site.last('/echo').isComplete).toBe(false);
  expect(await mount.awaySince()).toBeNull();
});

test('a client that stops when the answer has begun is let go', async () => {
  const { site, port, records } = await openWebUiWorld({ times: { stalledMs: 300 } });
  site.before = (req) => {
    req.resume();
    return false;
  };
  const { socket, text, closed } = await rawConnection(port, head('/stream'));
  socket.write(Buffer.alloc(100_000));
  await closed;
  expect(text()).toMatch(/^HTTP\/1\.1 200 /);
  await expect.poll(() => records).toMatchObject([{ outcome: 'cancelled', reason: 'client_gone' }]);
  await expect.poll(() => site.last('/stream').wasLeft).toBe(true);
});
