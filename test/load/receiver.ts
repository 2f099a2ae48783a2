import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { httpReceiver } from '../fakes/log-receivers.ts';

/** A SIEM that remembers the ids of what it was sent, each once; and a folder for what is kept elsewhere. */
export async function startRecordsReceiver() {
  const http = await httpReceiver();
  const folder = await mkdtemp(path.join(tmpdir(), 'toolgate-load-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const calls = new Set<string>();
  let changes = 0;
  let again = 0;
  const take = (): void => {
    for (const row of http.rows()) {
      if (row.type !== 'call') changes += 1;
      else if (calls.has(row.id)) again += 1;
      else calls.add(row.id);
    }
    http.bodies.length = 0;
    http.headers.length = 0;
  };
  return { url: http.url, folder, calls, take, changes: () => changes, again: () => again };
}
