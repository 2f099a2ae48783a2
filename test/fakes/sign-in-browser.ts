/**
 * What a browser does in which `person` is signed in at the authorization server: follows redirects with cookies, to the
 * first address that is not that server's. `answer`: what the person says when asked.
 */
export async function browse(start: string, person: string, answer: 'allow' | 'deny'): Promise<URL> {
  const { origin } = new URL(start);
  const jar = new Map<string, string>();
  let url = new URL(start);
  while (url.origin === origin) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { cookie, 'x-person': person, 'x-answer': answer };
    const response = await fetch(url, { redirect: 'manual', headers });
    for (const [pair = ''] of response.headers.getSetCookie().map((line) => line.split(';'))) {
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    const location = response.headers.get('location');
    if (location === null) throw new Error(`${response.status} at ${url.pathname}: ${await response.text()}`);
    url = new URL(location, url);
  }
  return url;
}
