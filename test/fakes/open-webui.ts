// The part of Open WebUI that tells whose session a token is: `GET /api/v1/auths/` and `GET /api/v1/users/groups`, with
// the answers of 0.10.2, 0.11.4 and 0.12.4 (`routers/auths.py`, `routers/users.py`, `utils/auth.py`).
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { jwtVerify, SignJWT } from 'jose';
import { type Loopback, listenOnLoopback } from './loopback.ts';

interface FakeAccount {
  readonly id: string;
  email: string;
  name: string;
  role: 'admin' | 'user' | 'pending';
  /** Names; the id of a group is `id of <name>`. */
  groups: string[];
}

interface FakeOpenWebUi extends Loopback {
  /** WEBUI_SECRET_KEY. */
  readonly secret: string;
  /** Requests to each path. */
  readonly asked: Record<string, number>;
  /** From 0.12 on, API keys and automations get 403 where a person is asked for. */
  humansOnly: boolean;
  /** What answers instead of the two routes; undefined: they themselves. */
  instead: ((path: string, response: ServerResponse) => void) | undefined;
  /** Keeps an answer until `go` is called; true: it does. */
  hold: ((token: string | undefined, go: () => void) => boolean) | undefined;
  account(email: string, more?: Partial<Omit<FakeAccount, 'id' | 'email'>>): FakeAccount;
  /** A session token, as `create_token` makes it. */
  session(account: FakeAccount, o?: { claims?: object; secret?: string; alg?: string }): Promise<string>;
  apiKey(account: FakeAccount): string;
  /** What a sign-out does where there is Redis. */
  revoke(token: string): void;
}

const unauthorized = '401 Unauthorized';

export async function startOpenWebUi(): Promise<FakeOpenWebUi> {
  const secret = randomUUID();
  const accounts = new Map<string, FakeAccount>();
  const keys = new Map<string, FakeAccount>();
  const revoked = new Set<string>();
  const signingKey = (text: string) => new TextEncoder().encode(text);

  async function whose(token: string): Promise<{ account: FakeAccount; exp: number | null } | string> {
    if (token.startsWith('sk-')) {
      const account = keys.get(token);
      return account
        ? { account, exp: null }
        : 'Your session has expired or the token is invalid. Please sign in again.';
    }
    const verified = await jwtVerify(token, signingKey(secret), { algorithms: ['HS256'] }).catch(
      () => undefined,
    );
    const account = accounts.get(String(verified?.payload['id']));
    if (!verified || !account || revoked.has(token)) return unauthorized;
    return { account, exp: verified.payload.exp ?? null };
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? '';
    fake.asked[path] = (fake.asked[path] ?? 0) + 1;
    if (fake.instead) return fake.instead(path, response);
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    await new Promise<void>((go) => void (fake.hold?.(token, go) || go()));
    if (scheme !== 'Bearer' || !token) return send(response, 401, { detail: 'Not authenticated' });
    const found = await whose(token);
    if (typeof found === 'string') return send(response, 401, { detail: found });
    const { account, exp } = found;
    if (path === '/api/v1/auths/') {
      if (fake.humansOnly && token.startsWith('sk-'))
        return send(response, 403, { detail: 'A human session is required.' });
      response.setHeader('set-cookie', `token=${token}; HttpOnly; Path=/; SameSite=lax`);
      return send(response, 200, sessionAnswer(account, token, exp));
    }
    if (path === '/api/v1/users/groups') {
      if (account.role === 'pending')
        return send(response, 401, {
          detail:
            'You do not have permission to access this resource. Please contact your administrator for assistance.',
        });
      return send(
        response,
        200,
        account.groups.map((name) => groupAnswer(name)),
      );
    }
    return send(response, 404, { detail: 'Not Found' });
  }

  const listening = await listenOnLoopback((request, response) => void answer(request, response));
  const fake: FakeOpenWebUi = {
    ...listening,
    secret,
    asked: {},
    humansOnly: false,
    instead: undefined,
    hold: undefined,
    account(email, more = {}) {
      const made: FakeAccount = {
        id: randomUUID(),
        email,
        name: email.split('@')[0] ?? '',
        role: 'user',
        groups: [],
        ...more,
      };
      accounts.set(made.id, made);
      return made;
    },
    session(account, o = {}) {
      const now = Math.floor(Date.now() / 1000);
      // Text and back: a claim that is undefined is none.
      const claims = JSON.parse(
        JSON.stringify({ id: account.id, jti: randomUUID(), iat: now, exp: now + 2_419_200, ...o.claims }),
      );
      return new SignJWT(claims)
        .setProtectedHeader({ alg: o.alg ?? 'HS256', typ: 'JWT' })
        .sign(signingKey(o.secret ?? secret));
    },
    apiKey(account) {
      const key = `sk-${randomUUID().replaceAll('-', '')}`;
      keys.set(key, account);
      return key;
    },
    revoke: (token) => void revoked.add(token),
  };
  return fake;
}

function sessionAnswer(account: FakeAccount, token: string, exp: number | null) {
  const { id, email, name, role } = account;
  return {
    ...{ token, token_type: 'Bearer', expires_at: exp, id, email, name, role },
    profile_image_url: `/api/v1/users/${id}/profile/image`,
    ...{ bio: null, gender: null, date_of_birth: null },
    ...{ status_emoji: null, status_message: null, status_expires_at: null },
    permissions: {
      workspace: { models: false, tools: false },
      chat: { controls: true },
      features: { api_keys: false },
    },
  };
}

function groupAnswer(name: string) {
  const at = Math.floor(Date.now() / 1000);
  return {
    ...{ id: `id of ${name}`, user_id: 'whoever made it', name, description: '' },
    ...{ data: null, meta: null, permissions: null, created_at: at, updated_at: at },
  };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
