import { describe, expect, test } from 'vitest';
import { caller } from '../../../test/access-world.ts';
import { type Picture, pictureOf } from '../../../test/gateway-world.ts';
import { Refusal } from '../refusal.ts';
import { makeTarget } from '../upstreams/target.ts';
import type { ListKind } from './kinds.ts';
import type { Known } from './known.ts';
import type { Pins } from '../pins.ts';
import { ListViews, type Viewer } from './view.ts';

const nothingHeld: Pins = {
  version: 0,
  isHeld: () => false,
  about: () => ({ mode: 'off', state: 'unknown', held: false, flags: [] }),
};

const inAnHour = 3_600_000;
const picture: Picture = {
  servers: { files: {}, github: {}, off: { enabled: false } },
  groups: {
    all: { servers: ['files', 'github', 'off'] },
    readers: { servers: { github: ['get_*'] } },
    writers: { servers: { github: ['*', '!delete_*'] } },
    'MCP-Admin': { admin: true },
  },
  users: {
    'alice@acme.com': { groups: ['all'] },
    'carol@acme.com': { groups: ['all'] },
    'bob@acme.com': { groups: ['readers'] },
    'will@acme.com': { groups: ['writers'] },
    'root@acme.com': { groups: ['MCP-Admin'] },
    'temp@acme.com': {},
  },
  memberships: [{ user: 'temp@acme.com', group: 'all', expiresAt: inAnHour }],
};
const snapshot = pictureOf(picture);

function viewer(id: string, more: Partial<Viewer> = {}): Viewer {
  return { snapshot, principal: caller(id), now: 0, audience: 'any', server: null, ...more };
}

const items = (keys: readonly string[], member = 'name') =>
  keys.map((key) => ({ key, raw: `{"${member}":${JSON.stringify(key)},"n":1.0}` }));

function known(id: string, lists: Partial<Record<ListKind, readonly string[]>>): Known {
  const server = snapshot.servers.get(id)!;
  const target = makeTarget(server, { principal: 'x', tenant: null, session: null }, undefined, new Map());
  const of = (kind: ListKind, member: string) => [kind, items(lists[kind] ?? [], member)] as const;
  return {
    key: `legacy|${target.key}`,
    family: undefined,
    lent: undefined,
    target,
    prefer: 'legacy',
    capabilities: '{}',
    hello: undefined,
    lists: new Map([
      of('tools', 'name'),
      of('prompts', 'name'),
      of('resources', 'uri'),
      of('templates', 'uriTemplate'),
    ]),
    freshUntil: 0,
    failure: undefined,
    failedSince: undefined,
    loading: undefined,
    askedAt: 0,
    seenAt: 0,
    outdated: false,
    pause: undefined,
    announced: new Set(),
  };
}

const github = () => known('github', { tools: ['get_issue', 'delete_repo'], prompts: ['review'] });

function read(views: ListViews, who: Viewer, sources: readonly Known[], kind: ListKind = 'tools') {
  const page = JSON.parse(`{${views.page(who, kind, sources, undefined).toString()}}`) as Record<
    string,
    unknown
  >;
  const [list] = Object.values(page) as Record<string, string>[][];
  return list!.map((item) => item['name'] ?? item['uri'] ?? item['uriTemplate']);
}

describe('rights', () => {
  test.each([
    ['alice@acme.com', ['github__delete_repo', 'github__get_issue']],
    ['bob@acme.com', ['github__get_issue']],
    ['will@acme.com', ['github__get_issue']],
    ['root@acme.com', ['github__delete_repo', 'github__get_issue']],
    ['nobody@acme.com', []],
  ])('%s sees what can() says, whoever looked before', (who, seen) => {
    const views = new ListViews(10, nothingHeld);
    const source = github();
    for (const before of [
      'root@acme.com',
      'alice@acme.com',
      'bob@acme.com',
      'nobody@acme.com',
      'will@acme.com',
    ])
      read(views, viewer(before), [source]);
    expect(read(views, viewer(who), [source])).toEqual(seen);
  });

  test('in part of a server’s tools show nothing of its prompts and resources', () => {
    const views = new ListViews(10, nothingHeld);
    const source = known('github', {
      prompts: ['review'],
      resources: ['file:///a'],
      templates: ['file:///{x}'],
    });
    const seen = (who: string) =>
      (['prompts', 'resources', 'templates'] as const).map((kind) =>
        read(views, viewer(who), [source], kind),
      );
    expect(seen('alice@acme.com')).toEqual([['github__review'], ['file:///a'], ['file:///{x}']]);
    expect(seen('bob@acme.com')).toEqual([[], [], []]);
  });

  test('that are the same share one view; that differ never do', () => {
    const views = new ListViews(10, nothingHeld);
    const source = github();
    const seenBy = (who: string) => views.view(viewer(who), 'tools', [source]);
    const whole = seenBy('alice@acme.com');
    expect(seenBy('carol@acme.com')).toBe(whole);
    expect(seenBy('root@acme.com')).toBe(whole);
    const others = [whole, seenBy('bob@acme.com'), seenBy('will@acme.com')];
    expect(new Set(others).size).toBe(3);
  });

  test('that end while a view is made do not make a poorer view for those who still have them', () => {
    const views = new ListViews(10, nothingHeld);
    const source = github();
    expect(read(views, viewer('temp@acme.com', { now: inAnHour }), [source])).toEqual([]);
    expect(read(views, viewer('temp@acme.com', { now: inAnHour - 1 }), [source])).toHaveLength(2);
    expect(read(views, viewer('alice@acme.com', { now: inAnHour }), [source])).toHaveLength(2);
  });

  test('of another picture are other rights', () => {
    const views = new ListViews(10, nothingHeld);
    const source = github();
    const less = pictureOf({
      ...picture,
      groups: { all: { servers: { github: ['get_*'] } } },
      users: { 'alice@acme.com': { groups: ['all'] } },
      memberships: [],
    });
    expect(read(views, viewer('alice@acme.com'), [source])).toHaveLength(2);
    expect(read(views, viewer('alice@acme.com', { snapshot: less }), [source])).toEqual([
      'github__get_issue',
    ]);
  });
});

describe('a view', () => {
  test('is another one as soon as a list behind it is', () => {
    const views = new ListViews(10, nothingHeld);
    const source = github();
    const first = views.view(viewer('alice@acme.com'), 'tools', [source]);
    source.lists.set('tools', items(['other']));
    expect(read(views, viewer('alice@acme.com'), [source])).toEqual(['github__other']);
    source.lists.set('tools', items(['get_issue', 'delete_repo']));
    expect(views.view(viewer('alice@acme.com'), 'tools', [source])).toBe(first);
  });

  test('is one for a thousand people with connections of their own that show the same', () => {
    const views = new ListViews(10, nothingHeld);
    const seen = Array.from({ length: 1_000 }, (_, n) =>
      views.view(viewer('alice@acme.com'), 'tools', [{ ...github(), key: `legacy|${n}` }]),
    );
    expect(new Set(seen).size).toBe(1);
  });

  test('shows what one’s own connection shows, and nothing that only somebody else’s does', () => {
    const views = new ListViews(10, nothingHeld);
    const more = known('github', { tools: ['get_issue', 'delete_repo', 'own_secret'] });
    const fewer = known('github', { tools: ['get_issue'] });
    for (let n = 0; n < 2; n++) {
      expect(read(views, viewer('alice@acme.com'), [more])).toContain('github__own_secret');
      expect(read(views, viewer('carol@acme.com'), [fewer])).toEqual(['github__get_issue']);
      expect(read(views, viewer('carol@acme.com'), [github()])).not.toContain('github__own_secret');
    }
  });

  test('is another one where an item differs in a single byte, or in its order', () => {
    const views = new ListViews(10, nothingHeld);
    const [one, two, three] = [github(), github(), github()];
    two.lists.set('tools', [
      ...items(['get_issue']),
      { key: 'delete_repo', raw: '{"name":"delete_repo","n":1}' },
    ]);
    three.lists.set('tools', items(['delete_repo', 'get_issue']));
    const who = viewer('alice@acme.com', { server: 'github' });
    expect(new Set([one, two, three].map((source) => views.view(who, 'tools', [source]))).size).toBe(3);
  });

  test('of equal lists of two servers is each server’s own', () => {
    const views = new ListViews(10, nothingHeld);
    const same = (id: string) => known(id, { tools: ['same'] });
    expect(read(views, viewer('alice@acme.com'), [same('github')])).toEqual(['github__same']);
    expect(read(views, viewer('alice@acme.com'), [same('files')])).toEqual(['files__same']);
  });

  test('of a server that enforces pins is one for each address, as a definition is accepted for one', () => {
    const enforcing = pictureOf({
      ...picture,
      servers: { ...picture.servers, github: { type: 'http', url: 'http://127.0.0.1/a', pin: 'enforce' } },
    });
    const at = (url: string): Known => {
      const source = github();
      const server = enforcing.servers.get('github')!;
      const { target } = source;
      return { ...source, target: { ...target, server, filled: { ...target.filled, url } } };
    };
    const onlyAt: Pins = { ...nothingHeld, isHeld: ({ filled }) => filled.url !== 'http://127.0.0.1/a' };
    const views = new ListViews(10, onlyAt);
    const who = viewer('alice@acme.com', { snapshot: enforcing });
    expect(read(views, who, [at('http://127.0.0.1/a')])).toHaveLength(2);
    expect(read(views, who, [at('http://127.0.0.1/b')])).toEqual([]);
  });

  test('of one server keeps names, order and every byte', () => {
    const views = new ListViews(10, nothingHeld);
    const page = views.page(viewer('alice@acme.com', { server: 'github' }), 'tools', [github()], undefined);
    expect(page.toString()).toBe('"tools":[{"name":"get_issue","n":1.0},{"name":"delete_repo","n":1.0}]');
  });

  test('of all servers is in the order of their names, and URIs are listed once', () => {
    const views = new ListViews(10, nothingHeld);
    const files = known('files', { tools: ['z', 'a'], resources: ['file:///both', 'file:///a'] });
    const other = known('github', { tools: ['b'], resources: ['file:///both', 'file:///b'] });
    const who = viewer('alice@acme.com');
    expect(read(views, who, [files, other])).toEqual(['files__a', 'files__z', 'github__b']);
    expect(read(views, who, [files, other], 'resources')).toEqual(['file:///a', 'file:///both', 'file:///b']);
  });
});

describe('pages', () => {
  const tools = Array.from({ length: 25 }, (_, n) => `t${String(n).padStart(2, '0')}`);
  const views = new ListViews(10, nothingHeld);
  const source = known('github', { tools });
  const who = viewer('alice@acme.com', { server: 'github' });
  const pageAt = (cursor: unknown) =>
    JSON.parse(`{${views.page(who, 'tools', [source], cursor).toString()}}`) as {
      tools: { name: string }[];
      nextCursor?: string;
    };

  test('follow one another to the end and hold everything once', () => {
    const seen: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = pageAt(cursor);
      seen.push(...page.tools.map(({ name }) => name));
      cursor = page.nextCursor;
      pages++;
    } while (cursor !== undefined);
    expect([pages, seen]).toEqual([3, tools]);
  });

  test('a cursor of another list, or made up, is refused', () => {
    const { nextCursor } = pageAt(undefined);
    const [digest] = Buffer.from(nextCursor!, 'base64url').toString().split('.');
    const made = (text: string) => Buffer.from(text).toString('base64url');
    for (const cursor of [
      '',
      'x',
      7,
      null,
      {},
      made(`${digest}.7`),
      made(`${digest}.-10`),
      made(`${digest}.30`),
      made(`${digest}.`),
      made('other.10'),
    ])
      expect(() => pageAt(cursor)).toThrow(Refusal);
    const fewer = known('github', { tools: tools.slice(1) });
    expect(() => views.page(who, 'tools', [fewer], nextCursor)).toThrow('the list has changed');
  });
});

test('views that are too large together make room for one another, and the largest is kept', () => {
  const views = new ListViews(10, nothingHeld, undefined, 100);
  const who = viewer('alice@acme.com');
  const [github1, files1] = [github(), known('files', { tools: ['read_file', 'write_file'] })];
  const seen = (source: Known) => views.view(who, 'tools', [source]);
  const first = seen(github1);
  expect(seen(github1)).toBe(first);
  const second = seen(files1);
  expect(seen(files1)).toBe(second);
  expect(seen(github1)).not.toBe(first);
});
