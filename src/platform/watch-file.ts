import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from './errors.ts';
import type { Log } from './log.ts';

export interface FileWatch {
  /** Stops watching; resolves when a change that is being handled is through. */
  close(): Promise<void>;
}

/** Names a content, so that two readings can be compared. */
export function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Calls `onText` when the content of the file differs from `known` (a fingerprint, null when there was no file), and
 * `onGone` when the file cannot be read any more. Watches the directory, because editors replace the file and
 * Kubernetes swaps a symlink beside it, and polls as well, because network file systems report nothing. A content
 * counts once two readings agree, so that a half-written file is never taken. An `onText` that throws is tried again
 * at the next poll.
 */
export function watchFile(
  file: string,
  options: {
    known: string | null;
    onText: (text: string) => Promise<void>;
    onGone: (error: Error) => void;
    log: Log;
    pollMs?: number;
    settleMs?: number;
  },
): FileWatch {
  const { log, pollMs = 5000, settleMs = 150 } = options;
  let known = options.known;
  // The last reading that awaits its confirmation; undefined when none does.
  let seen: string | null | undefined;
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> | null = null;
  let missed = false;
  let closed = false;

  const look = (): void => {
    if (running !== null) missed = true;
    if (closed || running !== null || timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      running = compare().finally(() => {
        running = null;
        if (missed || seen !== undefined) look();
        missed = false;
      });
    }, settleMs);
  };

  const compare = async (): Promise<void> => {
    const text = await readFile(file, 'utf8').catch((error: Error) => error);
    const now = text instanceof Error ? null : fingerprint(text);
    const settled = now === seen;
    seen = now === known || settled ? undefined : now;
    if (closed || now === known || !settled) return;
    try {
      if (text instanceof Error) options.onGone(text);
      else await options.onText(text);
      known = now;
    } catch (error) {
      log.error(
        { file, error: messageOf(error) },
        'a changed file could not be taken over; trying again soon',
      );
    }
  };

  const watcher = watchDirectory(path.dirname(file), look, log);
  const poll = setInterval(look, pollMs);
  poll.unref();
  return {
    async close() {
      closed = true;
      watcher?.close();
      clearInterval(poll);
      if (timer !== null) clearTimeout(timer);
      await running;
    },
  };
}

function watchDirectory(directory: string, look: () => void, log: Log): FSWatcher | null {
  const fallBack = (error: unknown) =>
    log.warn({ directory, error: messageOf(error) }, 'cannot watch the directory; polling instead');
  try {
    const watcher = watch(directory, { persistent: false }, look);
    watcher.on('error', fallBack);
    return watcher;
  } catch (error) {
    fallBack(error);
    return null;
  }
}
