// A registry of npm packages on loopback, which counts what is fetched.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const hostile = fileURLToPath(new URL('./hostile-runner-server.ts', import.meta.url));

export interface FakeRegistry {
  readonly url: string;
  /** How often the package itself was fetched. */
  fetched(name: string): number;
  close(): Promise<void>;
}

/**
 * Version 1.2.3 of each package is the server of hostile-runner-server.ts; `atInstall` is JavaScript (CommonJS) that
 * runs when it is installed, in the folder of the package.
 */
export async function npmRegistry(
  packages: Readonly<Record<string, { readonly atInstall?: string }>>,
): Promise<FakeRegistry> {
  const counts = new Map<string, number>();
  const archives = new Map(Object.entries(packages).map(([name, one]) => [name, archiveOf(name, one)]));
  const server = createServer((req, res) => {
    const [, name = '', rest] = /^\/([\w-]+)(\/archive\.tgz)?$/.exec(req.url ?? '') ?? [];
    const archive = archives.get(name);
    if (!archive) return void res.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    if (rest === undefined)
      return void res.end(JSON.stringify(about(name, archive, `http://${req.headers.host}`)));
    counts.set(name, (counts.get(name) ?? 0) + 1);
    return void res.end(archive);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    fetched: (name) => counts.get(name) ?? 0,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function manifestOf(name: string, { atInstall }: { readonly atInstall?: string }) {
  const scripts = atInstall === undefined ? {} : { scripts: { postinstall: 'node at-install.cjs' } };
  return { name, version: '1.2.3', bin: { [name]: 'server.mjs' }, ...scripts };
}

function archiveOf(name: string, one: { readonly atInstall?: string }): Buffer {
  const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-npm-'));
  const files = path.join(folder, 'package');
  mkdirSync(files);
  writeFileSync(path.join(files, 'package.json'), JSON.stringify(manifestOf(name, one)));
  const program = stripTypeScriptTypes(readFileSync(hostile, 'utf8'));
  writeFileSync(path.join(files, 'server.mjs'), `#!/usr/bin/env node\n${program}`, { mode: 0o755 });
  if (one.atInstall !== undefined) writeFileSync(path.join(files, 'at-install.cjs'), one.atInstall);
  execFileSync('tar', ['-czf', 'archive.tgz', 'package'], { cwd: folder });
  const archive = readFileSync(path.join(folder, 'archive.tgz'));
  rmSync(folder, { recursive: true });
  return archive;
}

function about(name: string, archive: Buffer, origin: string) {
  const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
  const version = {
    ...{ name, version: '1.2.3', bin: { [name]: 'server.mjs' }, hasInstallScript: true },
    dist: { tarball: `${origin}/${name}/archive.tgz`, integrity },
  };
  return { name, 'dist-tags': { latest: '1.2.3' }, versions: { '1.2.3': version } };
}
