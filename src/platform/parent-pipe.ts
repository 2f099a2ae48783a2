import { Socket } from 'node:net';

/**
 * Calls back when whoever started this process is gone, however it died: it holds the other end of the file
 * descriptor that TOOLGATE_PARENT_PIPE names. Without the variable nothing happens.
 */
export function onParentGone(env: NodeJS.ProcessEnv, callback: () => void): void {
  const fd = Number(env['TOOLGATE_PARENT_PIPE'] || Number.NaN);
  // Children of this process must not take the descriptor for theirs.
  delete env['TOOLGATE_PARENT_PIPE'];
  if (!Number.isInteger(fd)) return;
  const pipe = new Socket({ fd, readable: true, writable: false });
  pipe.on('end', callback);
  pipe.on('error', callback);
  pipe.resume();
  pipe.unref();
}
