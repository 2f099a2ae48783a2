import type { CatalogEntry, Way } from '../contract.ts';
import type { Form } from './forms.ts';

type StdioWay = Extract<Way, { type: 'stdio' }>;

/** What to know of an entry before it is used, one sentence each. */
export function warningsOf(entry: CatalogEntry & { readonly isPrivate?: boolean }): string[] {
  return [
    ...(entry.deprecated === undefined ? [] : [entry.deprecated]),
    ...(entry.confidence === 'verified'
      ? []
      : ['Its address or package was never verified: try it before anybody depends on it.']),
    ...(entry.authBasis === 'stated' ? [] : ['How one signs in was inferred; the vendor does not state it.']),
    ...(entry.maintainer === 'community' && !entry.isPrivate
      ? ['It is kept by its community, not by the vendor.']
      : []),
    ...(entry.openHandshake
      ? ['It greets callers whose key is missing or wrong: only a tool call shows that a key works.']
      : []),
  ];
}

/** The same of one way and one kind of signing in. */
export function formWarnings(form: Form): string[] {
  const { way } = form;
  if (way.type !== 'stdio') return [...transportWarnings(form), ...clientWarnings(form)];
  return [...runtimeWarnings(way), ...placeWarnings(form, way), ...keyWarnings(form)];
}

/** How one gets access, as far as it is known. */
export function howTo({ auth, homepage, protocolNotes }: CatalogEntry): string[] {
  return [
    ...(protocolNotes === undefined ? [] : [`${protocolNotes.replace(/\.$/, '')}.`]),
    ...(auth.oauth?.note === undefined ? [] : [`OAuth: ${auth.oauth.note}.`]),
    ...(homepage === undefined ? [] : [`More is at ${homepage}`]),
  ];
}

function transportWarnings({ entry, way }: Form): string[] {
  if (way.type !== 'sse') return [];
  const others = entry.transports.some(({ type }) => type === 'streamable-http');
  const instead = others ? 'use the other way' : 'no other one is known';
  return [`SSE is the older transport, which vendors are switching off; ${instead}.`];
}

function clientWarnings({ entry, auth }: Form): string[] {
  const facts = entry.auth.oauth;
  if (auth !== 'oauth' || facts === undefined) return [];
  if (facts.gated)
    return [
      'Only clients, or callback addresses, that the vendor has admitted may connect: ask for that first.',
    ];
  if (facts.dcr === false)
    return [
      'The vendor registers no clients by itself: register one by hand, and fill in its id and secret.',
    ];
  if (facts.dcr === 'unknown')
    return [
      'Whether the vendor registers clients by itself is not known: connect one account before you grant it.',
    ];
  return [];
}

function runtimeWarnings({ runtime, package: name, version, serves }: StdioWay): string[] {
  if (serves) return [`You run the container ${name} yourself, and say where it is.`];
  const needs = {
    npx: [],
    uvx: ['It needs uv (uvx) where stdio servers run.'],
    docker: ['It needs Docker where stdio servers run.'],
    binary: [`It needs the program ${name} where stdio servers run, whose version nobody pins.`],
  }[runtime];
  if (version !== undefined || runtime === 'binary') return needs;
  return [...needs, 'No version was verified: the newest one is pinned when it is installed.'];
}

function placeWarnings({ entry: { needs } }: Form, { runtime }: StdioWay): string[] {
  const inContainer = runtime === 'docker';
  const sentences = {
    files: inContainer
      ? 'The container sees no files of the machine, and none can be mounted through the API.'
      : 'It works on files, and sees those of its own data directory alone.',
    browser: inContainer ? '' : 'It needs a browser where stdio servers run.',
    desktop: 'It talks to an app on a desk: it is for the machine of one person.',
    'sign-in':
      'It uses the sign-in of a command line where it runs, so whoever calls it acts as that one account.',
    'any-address': 'It reads any address that it is told to: keep private networks out of its reach.',
  };
  return needs.map((need) => sentences[need]).filter((sentence) => sentence !== '');
}

function keyWarnings({ fields }: Form): string[] {
  const isSeen = fields.some(({ secret, goesTo }) => secret && goesTo.kind === 'argument');
  return isSeen ? ['A key is an argument of its process, where other programs of that user can see it.'] : [];
}
