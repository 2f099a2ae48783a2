// What secrets look like wherever they stand in a text. Each pattern is bounded, so that no text takes long.
const censor = '[redacted]';

const shapes: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // Our own tokens, and how those of others begin.
  [
    /\b(?:tg_|sk-|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|xapp-|lin_api_|ntn_|npm_|hf_|AKIA|ASIA|AIza)[\w-]{12,300}/g,
    censor,
  ],
  // A JSON web token: header, payload, and a signature or none.
  [/\beyJ[\w-]{5,1024}\.[\w-]{2,65536}(?:\.[\w-]{0,8192})?/g, censor],
  // Words of prose after "bearer" or "basic" are short, and have neither digits nor signs.
  [
    /\b(bearer|basic)( {1,8})(?=[^\s"\\,;]{0,300}(?:[\d=_/+~]|\.\w)|[^\s"\\,;]{20})[^\s"\\,;]{6,65536}/gi,
    `$1$2${censor}`,
  ],
  // User and password of a URL.
  [/\b([a-z][a-z\d+.-]{0,20}:\/\/)[^\s/?#@"\\]{1,1024}@/gi, `$1${censor}@`],
  [
    /([?&;][\w.[\]-]{0,60}(?:token|key|secret|passw(?:or)?d|pwd|signature|sig|code|credential|session|auth|jwt|assertion|link|spec|state)(?:=|%3D))[^&#\s"'\\<>]{1,65536}/gi,
    `$1${censor}`,
  ],
  // Members of JSON text, at any depth, and of JSON text that is quoted in another.
  [
    /("(?:[\w-]{0,60}(?:authorization|cookie|passw(?:or)?d|secret|api[-_]?key|private[-_]?key|access[-_]?token|refresh[-_]?token|id[-_]?token|client[-_]?assertion)|token)":")(?:[^"\\]|\\.){1,65536}"/gi,
    `$1${censor}"`,
  ],
  [
    /(\\"(?:[\w-]{0,60}(?:authorization|cookie|passw(?:or)?d|secret|api[-_]?key|[-_]token)|token)\\" {0,2}: {0,2}\\")[^"\\]{1,65536}/gi,
    `$1${censor}`,
  ],
];

/** The text without what has the shape of a secret. */
export function redacted(text: string): string {
  let clean = text;
  for (const [pattern, replacement] of shapes) clean = clean.replace(pattern, replacement);
  return clean;
}
