import { describe, expect, test } from 'vitest';
import { caller } from '../../../test/access-world.ts';
import { type Picture, pictureOf } from '../../../test/gateway-world.ts';
import { Refusal } from '../refusal.ts';
import { makeTarget } from '../upstreams/target.ts';
import type { ListKind } from './kinds.ts';
import type { Known } from './list-store.ts';
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
    version: 1,
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

/** The same, counting how often a view of it is made. */
function counted(source: Known) {
  let made = 0;
  const get = (kind: ListKind) => {
    made++;
    return source.lists.get(kind);
  };
  // Only get() is used of the map.
  return { counting: { ...source, lists: { get } } as unknown as Known, made: () => made };
}

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
    const { counting, made } = counted(github());
    for (const who of ['alice@acme.com', 'carol@acme.com', 'root@acme.com', 'alice@acme.com'])
      read(views, viewer(who), [counting]);
    expect(made()).toBe(1);
    read(views, viewer('bob@acme.com'), [counting]);
    read(views, viewer('will@acme.com'), [counting]);
    expect(made()).toBe(3);
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
  test('is made anew when a list behind it changes, or comes from another connection', () => {
    const views = new ListViews(10, nothingHeld);
    const source = github();
    read(views, viewer('alice@acme.com'), [source]);
    source.lists.set('tools', items(['other']));
    expect(read(views, viewer('alice@acme.com'), [source])).toHaveLength(2);
    source.version++;
    expect(read(views, viewer('alice@acme.com'), [source])).toEqual(['github__other']);
    expect(read(views, viewer('alice@acme.com'), [github()])).toHaveLength(2);
  });

  test('of two connections of one server is kept for each', () => {
    const views = new ListViews(10, nothingHeld);
    const [one, two] = ['legacy|a', 'legacy|b'].map((key) => counted({ ...github(), key }));
    for (let n = 0; n < 5; n++)
      for (const { counting } of [one!, two!]) read(views, viewer('alice@acme.com'), [counting]);
    expect(one!.made() + two!.made()).toBe(2);
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
