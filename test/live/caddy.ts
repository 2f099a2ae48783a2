// Caddy with the Caddyfile that is shipped, under a certificate of its own making.
import { mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { closeLater } from '../e2e/clients.ts';
import { eventually } from '../e2e/gate.ts';
import { start } from './process.ts';

const caddyfile = fileURLToPath(new URL('../../deploy/Caddyfile', import.meta.url));

/** The program: TOOLGATE_LIVE_CADDY names one; undefined: there is none. */
export function caddyProgram(): string | undefined {
  const folders = (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, 'caddy'));
  return [process.env['TOOLGATE_LIVE_CADDY'] ?? '', ...folders].find(
    (file) => file !== '' && existsSync(file),
  );
}

/** Resolves when it answers at `site`. */
export async function startCaddy(program: string, o: { site: string; toolgate: string }): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'toolgate-caddy-'));
  closeLater({ close: () => rm(folder, { recursive: true, force: true }) });
  const env = { HOME: folder, XDG_DATA_HOME: folder, SITE_ADDRESS: o.site, TOOLGATE_ADDRESS: o.toolgate };
  const running = start(
    program,
    ['run', '--adapter', 'caddyfile', '--config', caddyfile],
    { PATH: '/usr/bin:/bin', ...env },
    folder,
  );
  await eventually(`Caddy answers:\n${running.printed()}`, () => answers(`${o.site}/gateway/health`), 30);
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { rejectUnauthorized: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}
