// A table: what people say, and what tools are called. General words of offices and software, no product's own.
import { termOf, wordsOf } from './words.ts';

/** Left: said by people. Right: found in names and descriptions of tools. */
const table: Readonly<Record<string, string>> = {
  // Time
  meeting: 'calendar event',
  appointment: 'calendar event',
  schedule: 'calendar event',
  calendar: 'event',
  slot: 'calendar freebusy availability',
  free: 'freebusy availability',
  busy: 'freebusy availability',
  remind: 'task reminder',
  reminder: 'task',
  todo: 'task',
  // Post
  email: 'gmail mail message',
  mail: 'gmail email message',
  inbox: 'gmail mail message',
  reply: 'message',
  answer: 'reply response',
  respond: 'reply response',
  chat: 'message channel',
  discuss: 'message history comment',
  said: 'message history',
  // Documents
  spreadsheet: 'sheet values',
  excel: 'sheet spreadsheet values',
  cell: 'sheet values range',
  column: 'sheet values range',
  row: 'sheet values range',
  table: 'sheet database',
  document: 'doc file',
  slide: 'presentation',
  deck: 'presentation',
  powerpoint: 'presentation',
  pdf: 'export',
  folder: 'drive directory',
  share: 'access permission link',
  survey: 'form response',
  wiki: 'page confluence',
  note: 'comment engagement',
  picture: 'screenshot image',
  photo: 'image',
  // People
  'address book': 'contact',
  colleague: 'user contact',
  access: 'permission',
  crm: 'contact deal company object',
  customer: 'contact company',
  // Work
  ticket: 'issue',
  bug: 'issue',
  defect: 'issue',
  story: 'issue',
  status: 'transition state',
  done: 'transition status close',
  approve: 'approval review',
  // Software
  pr: 'pull request',
  mr: 'merge request',
  branch: 'ref',
  build: 'pipeline job',
  ci: 'pipeline build job',
  console: 'log output',
  deploy: 'deployment release',
  repo: 'repository',
  server: 'droplet instance vm',
  machine: 'droplet instance vm',
  vm: 'droplet instance',
  restart: 'reboot cycle',
  scale: 'replicas',
  chart: 'helm',
  dns: 'domain record',
  ip: 'address domain record',
  domain: 'record dns',
  cache: 'redis key',
  expire: 'ttl',
  slow: 'performance explain',
  speed: 'performance',
  cpu: 'usage top',
  feature: 'flag',
  toggle: 'flag',
  database: 'sql query collection',
  library: 'documentation',
  docs: 'documentation',
  // The web
  website: 'web page url',
  web: 'page url',
  read: 'fetch get content',
  latest: 'news',
  watch: 'monitor',
  changes: 'monitor history diff',
  remember: 'memory knowledge observation',
  // Deeds
  write: 'create',
  make: 'create',
  put: 'create update',
  open: 'create',
  report: 'create',
  new: 'create',
  change: 'update modify',
  edit: 'update modify',
  set: 'update',
  delete: 'remove',
  remove: 'delete',
  find: 'search',
  look: 'search',
  show: 'get list',
};

/** Deeds are in nearly every name, so that they say less than things do. */
const deeds = new Set(
  terms(
    'get list find search show check create add make new update modify change set delete remove use run read write put open manage take tell look',
  ),
);

const bySaid = new Map(Object.entries(table).map(([said, meant]) => [terms(said).join(' '), terms(meant)]));
/** Each term of a question costs time; who needs more asks for something else. */
const mostTerms = 32;
const synonymWeight = 0.4;
const deedWeight = 0.4;

export interface Weighted {
  readonly term: string;
  readonly weight: number;
}

/** What stands for itself in a question and says little by its letters. */
const shapes: readonly (readonly [RegExp, string])[] = [
  [/\bto-do\b/gi, ' todo '],
  [/\bhttps?:\/\/\S+/g, ' web page url '],
  [/[^\s@]+@[^\s@]+\.\w+/g, ' email '],
  [/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, ' ip address '],
  [/\b(?:[\w-]+\.)+(?:com|net|org|io|dev|eu|de|uk)\b/g, ' domain '],
  [/\b[A-Z][A-Z0-9]+-\d+\b/g, ' issue '],
  [/(?<!\S)#[\w-]+/g, ' channel '],
  [/\b\d+(?:[.,:]\d+)*\b/g, ' '],
];

/** The terms of a question and what else they may be called; each once, with its heaviest weight. */
export function weighted(query: string): Weighted[] {
  const plain = shapes.reduce((text, [shape, words]) => text.replaceAll(shape, words), query);
  const said = terms(plain).slice(0, mostTerms);
  const all = new Map<string, number>();
  const add = (term: string, weight: number) => all.set(term, Math.max(weight, all.get(term) ?? 0));
  for (const term of said) add(term, deeds.has(term) ? deedWeight : 1);
  for (const [index, term] of said.entries()) {
    const pair = `${term} ${said[index + 1] ?? ''}`;
    for (const meant of bySaid.get(pair) ?? []) add(meant, synonymWeight);
    for (const meant of bySaid.get(term) ?? [])
      add(meant, deeds.has(meant) ? synonymWeight * deedWeight : synonymWeight);
  }
  return [...all].map(([term, weight]) => ({ term, weight }));
}

function terms(text: string): string[] {
  return wordsOf(text).flatMap((word) => termOf(word) ?? []);
}
