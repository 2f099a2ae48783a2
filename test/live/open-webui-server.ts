// A real Open WebUI without a browser: started from its package, with an administrator and people in it.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { closeLater } from '../e2e/clients.ts';
import { freePort, type Json } from '../e2e/program.ts';
import { start, untilAnswers } from './process.ts';
import { pythonPackage } from './venv.ts';

/** Versions that the tests run against, newest first, unless `--open-webui` names others. */
export const openWebUiVersions = (process.env['TOOLGATE_LIVE_OPEN_WEBUI'] ?? '0.12.4').split(',');

export interface OpenWebUiServer {
  readonly version: string;
  readonly url: string;
  /** The administrator's session token. */
  readonly admin: string;
  /** Sent as an administrator unless another token is given. Throws for anything but 2xx. */
  ask(method: string, path: string, body?: unknown, token?: string): Promise<Json>;
  /** Makes a person; their session token. */
  person(name: string, email: string): Promise<string>;
  log(): string;
}

/** `modelUrl` ends in `/v1`. Everything of it is gone after the test file. */
export async function startOpenWebUi(
  version: string,
  modelUrl: string,
  env: Readonly<Record<string, string>>,
): Promise<OpenWebUiServer> {
  const { url, log } = await startEmptyOpenWebUi(version, modelUrl, env);
  const ask = asker(url);
  const password = randomBytes(12).toString('base64url');
  const signUp = { name: 'Admin', email: 'admin@acme.com', password };
  const { token: admin } = await ask('POST', '/api/v1/auths/signup', signUp);
  return {
    ...{ version, url, admin, log },
    ask: (method, where, body, token) => ask(method, where, body, token ?? admin),
    person: async (name, email) => {
      const form = { name, email, password, role: 'user' };
      return (await ask('POST', '/api/v1/auths/add', form, admin)).token;
    },
  };
}

/** The same with nobody in it. */
export async function startEmptyOpenWebUi(
  version: string,
  modelUrl: string,
  env: Readonly<Record<string, string>>,
): Promise<Pick<OpenWebUiServer, 'url' | 'log'>> {
  const bin = await pythonPackage('open-webui', version);
  const folder = await mkdtemp(path.join(tmpdir(), 'toolgate-owui-'));
  closeLater({ close: () => rm(folder, { recursive: true, force: true }) });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  for (const name of ['data', 'static']) await mkdir(path.join(folder, name));
  const args = ['serve', '--host', '127.0.0.1', '--port', String(port)];
  const running = start(
    path.join(bin, 'open-webui'),
    args,
    { ...settings(folder, url, modelUrl), ...env },
    folder,
  );
  await untilAnswers(running, `${url}/health`);
  return { url, log: running.printed };
}

function settings(folder: string, url: string, modelUrl: string): Record<string, string> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: folder,
    DATA_DIR: path.join(folder, 'data'),
    STATIC_DIR: path.join(folder, 'static'),
    WEBUI_SECRET_KEY: randomBytes(32).toString('hex'),
    WEBUI_URL: url,
    CORS_ALLOW_ORIGIN: '*',
    GLOBAL_LOG_LEVEL: 'WARNING',
    // Nothing outside is asked, and nothing is computed here.
    OFFLINE_MODE: 'true',
    RAG_EMBEDDING_ENGINE: 'openai',
    RAG_OPENAI_API_BASE_URL: modelUrl,
    RAG_OPENAI_API_KEY: 'none',
    ENABLE_OLLAMA_API: 'false',
    OPENAI_API_BASE_URLS: modelUrl,
    OPENAI_API_KEYS: 'none',
    BYPASS_MODEL_ACCESS_CONTROL: 'true',
    ENABLE_TITLE_GENERATION: 'false',
    ENABLE_TAGS_GENERATION: 'false',
    ENABLE_FOLLOW_UP_GENERATION: 'false',
  };
}

function asker(url: string) {
  return async (method: string, where: string, body?: unknown, token?: string): Promise<Json> => {
    const response = await fetch(`${url}${where}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${where}: ${response.status} ${text.slice(0, 500)}`);
    return text === '' ? null : JSON.parse(text);
  };
}
