// Work as a user who is not root, whoever runs the tests: root may remove and read whatever it likes.
import { execFileSync } from 'node:child_process';
import path from 'node:path';

const user = 12_345;

export interface Errand {
  readonly module: URL;
  /** JavaScript with the exports of that module as `module`, and `fs`. */
  readonly script: string;
  /** What of the folder stays the user's who runs the tests. */
  readonly others?: readonly string[];
}

/** Runs it in the folder, which becomes that user's; returns what it prints. */
export function asAnotherUser(folder: string, o: Errand): string {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) execFileSync('chown', ['-R', `${user}:${user}`, folder]);
  for (const one of isRoot ? (o.others ?? []) : [])
    execFileSync('chown', ['-R', '0:0', path.join(folder, one)]);
  const become = isRoot ? `process.setgroups([]); process.setgid(${user}); process.setuid(${user});` : '';
  const script = `
    import fs from 'node:fs';
    const module = await import(${JSON.stringify(o.module.href)});
    ${become}
    ${o.script}`;
  const args = ['--input-type=module', '-e', script];
  return execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
}
