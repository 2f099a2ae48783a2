// A browser without a window: keeps cookies, sends Origin with forms, follows nothing by itself.

export interface Visit {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Where it sends the browser; undefined for a page. */
  readonly location: string | undefined;
}

export interface WebClient {
  /** Name -> value, as the browser holds them. */
  readonly cookies: Map<string, string>;
  /** `Set-Cookie` lines that came in, newest last. */
  readonly setCookies: string[];
  get(path: string, headers?: Record<string, string>): Promise<Visit>;
  /** Sends the fields, with the hidden token of the form on `page`. */
  post(
    path: string,
    fields: Record<string, string>,
    o?: { page?: Visit; headers?: Record<string, string> },
  ): Promise<Visit>;
  /** Gets, and goes where it is sent, elsewhere too. */
  follow(path: string): Promise<Visit>;
}

/** `origin` is the site; cookies go nowhere else. */
export function webClient(origin: string, ask: typeof fetch = fetch): WebClient {
  const cookies = new Map<string, string>();
  const setCookies: string[] = [];

  async function send(url: string, init: RequestInit): Promise<Visit> {
    const isOwn = new URL(url).origin === origin;
    const headers = new Headers(init.headers);
    const held = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    if (isOwn && held !== '' && !headers.has('cookie')) headers.set('cookie', held);
    const response = await ask(url, { ...init, headers, redirect: 'manual' });
    if (isOwn) for (const line of response.headers.getSetCookie()) keep(line);
    const text = await response.text();
    return {
      ...{ status: response.status, headers: response.headers, text },
      location: response.headers.get('location') ?? undefined,
    };
  }

  function keep(line: string): void {
    setCookies.push(line);
    const [pair = ''] = line.split(';');
    const at = pair.indexOf('=');
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    if (/max-age=0/i.test(line)) cookies.delete(name);
    else cookies.set(name, value);
  }

  const client: WebClient = {
    cookies,
    setCookies,
    get: (path, headers = {}) => send(new URL(path, origin).href, { headers }),
    post: (path, fields, { page, headers = {} } = {}) => {
      const body = new URLSearchParams({ ...(page && { form_token: formToken(page) }), ...fields });
      return send(new URL(path, origin).href, { method: 'POST', body, headers: { origin, ...headers } });
    },
    async follow(path) {
      let visit = await client.get(path);
      let at = new URL(path, origin);
      for (let hops = 0; visit.location !== undefined && hops < 10; hops++) {
        at = new URL(visit.location, at);
        visit = await send(at.href, {});
      }
      return visit;
    },
  };
  return client;
}

/** The hidden field of the first form on a page. */
export function formToken({ text }: Visit): string {
  const [, token] = /name="form_token" value="([^"]+)"/.exec(text) ?? [];
  if (token === undefined) throw new Error(`there is no form on this page: ${text.slice(-500)}`);
  return token;
}
