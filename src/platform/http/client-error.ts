import type { Socket } from 'node:net';

/** What a client is told whose request could not be read at all. */
const answers: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/**
 * Answers a connection whose bytes are no request, and ends it. `mayBeTold`: nobody can take what is said for the answer to
 * an earlier request.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket, mayBeTold: boolean): void {
  if (!mayBeTold || error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const status = answers[error.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
