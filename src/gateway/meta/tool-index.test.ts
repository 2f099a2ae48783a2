import { expect, test } from 'vitest';
import type { ViewItem } from '../lists/view.ts';
import { describeTools } from './describe-tools.ts';
import type { OwnTools } from './own-tools.ts';
import { searchTools } from './search-tools.ts';
import { ToolIndex } from './tool-index.ts';
import { ToolIndexes } from './tool-indexes.ts';

const item = (name: string, more: object = {}) => ({
  ...{ name, key: name, server: 's' },
  raw: JSON.stringify({ name, ...more }),
});

function ownOf(items: readonly ViewItem[]): OwnTools {
  const view = { id: 'v', sources: [], items, pages: new Map(), digest: '', byName: undefined };
  return { view, known: [], servers: [] };
}

test('of many names that are not there, the nearest are looked for only of the first', async () => {
  const names = ['send_mail', ...Array.from({ length: 8 }, (_, at) => `send_mail_${at}`)];
  const { text } = await describeTools(new ToolIndexes(), ownOf([item('send_mail')]), { names });
  const { notFound } = JSON.parse(text) as { notFound: { closest: string[] }[] };
  expect(notFound.map(({ closest }) => closest.length)).toEqual([1, 1, 1, 1, 1, 0, 0, 0]);
});

test('a name or a title without end fills no index: its beginning is found', async () => {
  const long = (end: string) => `beginning ${'word '.repeat(100)}${end}`;
  const items = [item(long('nameneedle'), { title: long('titleneedle') })];
  const index = await ToolIndex.of(items, []);
  expect(index.find('beginning', 5)).toHaveLength(1);
  expect(index.find('nameneedle titleneedle', 5)).toHaveLength(0);
});

test('a tool with a quarter of a million arguments is shown with the first of them', async () => {
  const keys = Array.from({ length: 250_000 }, (_, at) => `k${at}`);
  const properties = Object.fromEntries([...keys, 'other'].map((key) => [key, {}]));
  const items = [item('wide', { inputSchema: { properties, required: keys } })];
  const { text } = await searchTools(new ToolIndexes(), ownOf(items), { query: '' });
  expect(JSON.parse(text).tools).toMatchObject([{ name: 'wide', optional: ['other'] }]);
});
