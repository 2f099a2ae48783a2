// The two questions that Open WebUI is asked about a caller. Its answers carry a cookie with the session, which ends here.
import { z } from 'zod';
import { readCapped } from '../oidc/fetch-json.ts';

const timeoutMs = 5_000;
const mostGroups = 1_000;

/** Whose session a token is (`GET /api/v1/auths/`, `SessionUserInfoResponse`). */
const account = z.object({ id: z.string().min(1), email: z.string(), name: z.string(), role: z.string() });
export type Account = z.infer<typeof account>;

/** `unknown`: no session has this token. `forbidden`: it has one that may not be asked about (API keys, automations). */
export type AccountAnswer = Account | 'unknown' | 'forbidden';

const groupList = z.array(z.object({ id: z.string(), name: z.string() }));

/** `overage`: more groups than are taken; `absent`: they could not be had. Neither means "none". */
export type GroupsAnswer =
  | { readonly state: 'present'; readonly values: readonly string[] }
  | { readonly state: 'overage' | 'absent' };

export interface SessionApi {
  /** Rejects when Open WebUI cannot be asked, or answers something else than it should. */
  accountOf(token: string): Promise<AccountAnswer>;
  /** Ids and names of the caller's groups there. Never rejects. */
  groupsOf(token: string): Promise<GroupsAnswer>;
}

/** `url` without a slash at the end; `closed` ends what is under way. */
export function createSessionApi(o: { url: string; fetch: typeof fetch; closed: AbortSignal }): SessionApi {
  async function ask(path: string, token: string): Promise<{ status: number; text: string }> {
    const response = await o.fetch(`${o.url}${path}`, {
      headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
      // A redirect would hand the token to another place.
      redirect: 'error',
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), o.closed]),
    });
    return { status: response.status, text: await readCapped(response, `${o.url}${path}`) };
  }

  return {
    async accountOf(token) {
      const { status, text } = await ask('/api/v1/auths/', token);
      if (status === 401) return 'unknown';
      if (status === 403) return 'forbidden';
      if (status !== 200) throw new Error(`Open WebUI answered with status ${status}`);
      const found = account.safeParse(jsonOf(text));
      if (found.success) return found.data;
      throw new Error('Open WebUI answered with something else than an account');
    },
    async groupsOf(token) {
      try {
        const { status, text } = await ask('/api/v1/users/groups', token);
        if (status !== 200) return { state: 'absent' };
        const groups = groupList.parse(jsonOf(text));
        if (groups.length > mostGroups) return { state: 'overage' };
        return { state: 'present', values: groups.flatMap(({ id, name }) => [id, name]) };
      } catch {
        // What was known before goes on counting for its time.
        return { state: 'absent' };
      }
    },
  };
}

/** What the parser says about a text that is no JSON would show parts of it, and the answer holds the session. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
