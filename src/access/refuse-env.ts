import { envNotAllowed } from './errors.ts';

/** Throws `env_not_allowed` (400) when a URL or a header from the API asks for the environment of the process. */
export function refuseEnv(remote: {
  readonly url?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}): void {
  if (remote.url !== undefined && asksForEnv(remote.url)) throw envNotAllowed('a URL');
  if (Object.values(remote.headers ?? {}).some(asksForEnv)) throw envNotAllowed('a header');
}

function asksForEnv(text: string): boolean {
  return /\$\{\s*env\s*:/i.test(text);
}
