/** Exactly as Open WebUI writes one. */
const session = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Could Open WebUI take this for one of its sessions? It reads the signature leniently: with `=` at the end it is another
 * text and the same session, whose person would not be known here. Such a one is `doubtful`, and goes no further.
 */
export function isSessionLike(token: string): 'yes' | 'no' | 'doubtful' {
  if (session.test(token)) return 'yes';
  return token.split('.').length === 3 ? 'doubtful' : 'no';
}

const apiKey = /^sk-[0-9a-f]{32}$/;

/**
 * Is this the value of a header that Open WebUI may be told to read credentials from (CUSTOM_API_KEY_HEADER)? Whoever it
 * stands for would not be known here.
 */
export function isCredential(value: string): boolean {
  const token = value.trim().replace(/^bearer +/i, '');
  return apiKey.test(token) || (token.startsWith('eyJ') && isSessionLike(token) !== 'no');
}
