// Which paths are Open WebUI's, and what its paths are called in records: a table, so that the names are bounded.

/** Of this program, whether there is something at it or not: a made-up one must not be answered with a page of Open WebUI. */
const ours =
  /^\/(?:gateway|mcp-admin|mcp|sse|tools|servers|scim|metrics|chat|v1)(?:\/|$)|^\/[tg]\/|^\/\.well-known\/(?:oauth-|openid-)/;

/** Anything else that is a path. The absolute form and `*` (RFC 9112 section 3.2) are none. */
export function isOpenWebUis(path: string): boolean {
  return path.startsWith('/') && !ours.test(path);
}

const safeMethods = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Does a request count against its caller's limit? Whatever is not a mere reading: a list of those that cost could be
 * passed by with another spelling of a path.
 */
export function isCostly(method: string): boolean {
  return !safeMethods.includes(method);
}

/** Socket.IO, however it is spelled: Open WebUI decodes a path before it looks. */
export function isSocketIo(path: string): boolean {
  return plain(path).startsWith('/ws/');
}

/** Somebody signs out there. */
export function isSignOut(path: string): boolean {
  return plain(path).replace(/\/$/, '') === '/api/v1/auths/signout';
}

function plain(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

const assets =
  /^\/(?:(?:_app|static|pyodide|assets|audio|wasm|sql\.js)\/(?:[\w@+.-]+\/)*[\w@+.-]+|(?:favicon|user|image-placeholder)\.png|manifest\.json|opensearch\.xml|robots\.txt)$/;

/** A file of the web application, the same for everybody. In doubt it is none. */
export function isAsset(method: string, path: string): boolean {
  return (method === 'GET' || method === 'HEAD') && assets.test(path) && !path.includes('..');
}

const known = [
  ...['/', '/auth', '/error', '/home', '/c/{id}', '/s/{id}', '/channels/{id}', '/notes', '/notes/{id}'],
  ...['/api/config', '/api/version', '/api/version/updates', '/api/changelog', '/api/models', '/api/usage'],
  ...['/api/chat/completions', '/api/chat/completed', '/api/chat/actions/{id}', '/api/embeddings'],
  ...['/api/tasks/stop/{id}', '/api/tasks/chat/{id}', '/api/message', '/api/v1/messages', '/api/webhook'],
  ...['/api/v1/chat/completions', '/api/v1/models/', '/api/v1/models/list', '/api/v1/models/model'],
  ...['/api/v1/auths/', '/api/v1/auths/signin', '/api/v1/auths/signup', '/api/v1/auths/signout'],
  ...['/api/v1/auths/ldap', '/api/v1/auths/api_key', '/api/v1/auths/update/password', '/api/v1/auths/add'],
  ...['/api/v1/users/', '/api/v1/users/groups', '/api/v1/users/{id}', '/api/v1/users/{id}/profile/image'],
  ...['/api/v1/users/user/settings', '/api/v1/users/user/settings/update'],
  ...['/api/v1/chats/', '/api/v1/chats/new', '/api/v1/chats/search', '/api/v1/chats/pinned'],
  ...[
    '/api/v1/chats/{id}',
    '/api/v1/chats/{id}/share',
    '/api/v1/chats/{id}/clone',
    '/api/v1/chats/{id}/tags',
  ],
  '/api/v1/chats/{id}/messages/{message}/event',
  ...[
    '/api/v1/files/',
    '/api/v1/files/{id}',
    '/api/v1/files/{id}/content',
    '/api/v1/files/{id}/process/status',
  ],
  ...['/api/v1/folders/', '/api/v1/folders/{id}', '/api/v1/groups/', '/api/v1/groups/id/{id}'],
  ...['/api/v1/knowledge/', '/api/v1/knowledge/{id}', '/api/v1/tools/', '/api/v1/tools/id/{id}'],
  ...['/api/v1/audio/speech', '/api/v1/audio/transcriptions', '/api/v1/images/generations'],
  ...[
    '/api/v1/retrieval/process/file',
    '/api/v1/retrieval/process/web',
    '/api/v1/retrieval/process/web/search',
  ],
  ...[
    '/openai/models',
    '/openai/chat/completions',
    '/ollama/api/chat',
    '/ollama/api/tags',
    '/health',
    '/ready',
  ],
  ...['/oauth/{provider}/login', '/oauth/{provider}/callback', '/ws/socket.io', '/manifest.json'],
].map((template) => ({ template, parts: partsOf(template) }));

/** What follows counts for nothing: a name of Open WebUI's router, or of a folder of its files. */
const families = [
  ...['_app', 'static', 'pyodide', 'assets', 'audio', 'wasm', 'cache', 'admin', 'workspace', 'playground'],
  ...['api/v1/auths', 'api/v1/users', 'api/v1/chats', 'api/v1/files', 'api/v1/folders', 'api/v1/groups'],
  ...[
    'api/v1/knowledge',
    'api/v1/tools',
    'api/v1/skills',
    'api/v1/functions',
    'api/v1/prompts',
    'api/v1/models',
  ],
  ...[
    'api/v1/audio',
    'api/v1/images',
    'api/v1/retrieval',
    'api/v1/tasks',
    'api/v1/configs',
    'api/v1/memories',
  ],
  ...['api/v1/channels', 'api/v1/notes', 'api/v1/search', 'api/v1/notifications', 'api/v1/evaluations'],
  ...['api/v1/analytics', 'api/v1/utils', 'api/v1/terminals', 'api/v1/automations', 'api/v1/calendars'],
  ...['api/v1/pipelines', 'api/v1/apps', 'api/v1/scim', 'api/v1', 'api', 'openai', 'ollama', 'oauth', 'ws'],
].map((family) => ({ prefix: `/${family}/`, template: `/${family}/*` }));

/** For records and numbers: `/api/v1/chats/{id}`, one of a fixed set, never what somebody made up. */
export function templateOf(path: string): string {
  const parts = partsOf(path);
  const found = known.find((one) => one.parts.length === parts.length && one.parts.every(fits(parts)));
  if (found) return found.template;
  return families.find(({ prefix }) => path.startsWith(prefix))?.template ?? '/*';
}

function fits(parts: readonly string[]) {
  return (part: string, at: number) => part === parts[at] || (part.startsWith('{') && parts[at] !== '');
}

/** A slash at the end is often left out, or put there by the client's library. */
function partsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.length > 2 && parts.at(-1) === '' ? parts.slice(0, -1) : parts;
}
