// Syslog messages (RFC 5424) over TLS (RFC 5425), TCP (RFC 6587, 3.4.1) and UDP (RFC 5426).
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, isIP, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { connect as connectTls } from 'node:tls';
import type { NetGuard } from '../../platform/net-guard.ts';
import type { Send, Sent } from './push.ts';

const deadlineMs = 10_000;
/** Facility 13 is "log audit"; severities are informational and warning. */
const priorities = { usual: 13 * 8 + 6, refused: 13 * 8 + 4 };
const fine = new Set(['ok', 'tool_error']);
/** Of one datagram; longer ones are lost on the way more often than not. */
const longestDatagram = 8_000;

export function syslogSender(o: {
  readonly address: string;
  readonly caFile?: string | undefined;
  readonly guard: NetGuard;
}): Send {
  const url = new URL(o.address);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (url.protocol === 'tls:' ? 6514 : 514);
  return async (records, signal) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
    if (isIP(host) !== 0 && !o.guard.allows(host))
      throw new Error(`${host} is no public address; allow it under network.allow`);
    if (url.protocol === 'udp:') return sendDatagrams(records, { host, port, guard: o.guard });
    const { lookup } = o.guard;
    const socket =
      url.protocol === 'tls:'
        ? connectTls({
            ...{ host, port, lookup, minVersion: 'TLSv1.2' },
            ...(isIP(host) === 0 && { servername: host }),
            ...(o.caFile !== undefined && { ca: await readFile(o.caFile) }),
          })
        : connect({ host, port, lookup });
    await deliver(socket, records, limit);
  };
}

/**
 * The receiver confirms nothing, but it closes its end when this one is closed. Had it left anything unread, or gone
 * before, there would be an error instead.
 */
async function deliver(socket: Socket, records: readonly Sent[], limit: AbortSignal): Promise<void> {
  const abort = () => void socket.destroy(new Error('the receiver did not take the messages in time'));
  limit.addEventListener('abort', abort, { once: true });
  let isEnded = false;
  socket.on('end', () => {
    isEnded = true;
  });
  socket.resume();
  try {
    const closed = once(socket, 'close'); // Rejects with an error of the socket.
    socket.end(records.map((one) => framed(syslogLine(one))).join(''));
    await closed;
    if (!isEnded || limit.aborted) throw new Error('the receiver went away');
  } finally {
    limit.removeEventListener('abort', abort);
    socket.destroy();
  }
}

async function sendDatagrams(
  records: readonly Sent[],
  { host, port, guard }: { host: string; port: number; guard: NetGuard },
): Promise<void> {
  const address = isIP(host) === 0 ? await resolved(host, guard) : host;
  const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
  try {
    for (const one of records) {
      const whole = Buffer.from(syslogLine(one));
      const { before: _b, after: _a, arguments: _c, ...short } = one.row;
      const message =
        whole.length <= longestDatagram
          ? whole
          : Buffer.from(syslogLine({ ...one, row: { ...short, isCut: true } })).subarray(0, longestDatagram);
      await new Promise<void>((resolve, reject) =>
        socket.send(message, port, address, (error) => (error ? reject(error) : resolve())),
      );
    }
  } finally {
    socket.close();
  }
}

function resolved(host: string, guard: NetGuard): Promise<string> {
  return new Promise((resolve, reject) => {
    guard.lookup(host, { all: false }, (error, address) => {
      if (error) reject(error);
      // One address was asked for, not all of them.
      else resolve(typeof address === 'string' ? address : '');
    });
  });
}

function framed(line: string): string {
  return `${Buffer.byteLength(line)} ${line}`;
}

/** The record as JSON in the text; a byte order mark says that it is UTF-8. */
export function syslogLine({ type, row }: Sent): string {
  const outcome = row['outcome'];
  const isUsual = type === 'audit' || (typeof outcome === 'string' && fine.has(outcome));
  const priority = isUsual ? priorities.usual : priorities.refused;
  const host =
    hostname()
      .replace(/[^\x21-\x7e]/g, '')
      .slice(0, 255) || '-';
  return `<${priority}>1 ${String(row['timestamp'])} ${host} toolgate - ${type} - \ufeff${JSON.stringify({ type, ...row })}`;
}
