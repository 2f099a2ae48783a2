// What the documents say is true as far as a program can tell.
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { danglingReferences } from '../src/access/index.ts';
import { configFileSchema, environmentSchema } from '../src/config-schema.ts';
import { pipeline } from '../src/gateway/pipeline.ts';
import { parseJsonc } from '../src/platform/jsonc.ts';
import { errorCodes } from './error-codes.ts';

const root = path.resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const pages = globSync('{*,docs/**/*}.md', { cwd: root }).map((file) => file.replaceAll('\\', '/'));

test('every relative link leads to a file, and its anchor to a heading', () => {
  const broken = pages.flatMap((page) =>
    linksOf(page)
      .filter((link) => !resolves(page, link))
      .map((link) => `${page} -> ${link}`),
  );
  expect(broken).toEqual([]);
});

test('the README says whom it is for and the two commands', () => {
  for (const words of ['Internal use only', 'npm start', 'npm test'])
    expect(read('README.md')).toContain(words);
});

test('every environment variable is in the configuration page', () => {
  const page = read('docs/configuration.md');
  expect(Object.keys(environmentSchema.shape).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('the pipeline table of ARCHITECTURE.md has the rows and faces of the program', () => {
  const [head = [], ...rows] = tableRows(section('ARCHITECTURE.md', 'The pipeline'));
  const faces = head.slice(1, -1);
  const written = rows.map(([step = '', ...cells]) => [
    step.replaceAll('`', ''),
    faces.filter((_, at) => cells[at] === 'x'),
  ]);
  expect(written).toEqual(pipeline.map(([step, on]) => [step.name, [...on]]));
});

const examples = pages.flatMap((page) =>
  [...read(page).matchAll(/^```jsonc config\n(.*?)^```$/gms)].map(
    (match, at) => [page, at + 1, match[1] ?? ''] as const,
  ),
);

test.each(examples)('%s: config example %i is a valid file', (_page, _at, text) => {
  const { value, errors } = parseJsonc(text);
  expect(errors).toEqual([]);
  const { data, error } = configFileSchema.safeParse(value);
  expect(error).toBeUndefined();
  expect(data && danglingReferences(data)).toEqual([]);
});

test('there are config examples', () => {
  expect(examples.length).toBeGreaterThan(3);
});

test('every error code is in docs/errors.md, and no other', () => {
  const documented = tableRows(read('docs/errors.md')).flatMap(
    ([code = '']) => /^`([a-z_]+)`$/.exec(code)?.[1] ?? [],
  );
  const known = errorCodes(root);
  expect({ missing: [...known].filter((code) => !documented.includes(code)) }).toEqual({ missing: [] });
  expect({ stale: documented.filter((code) => !known.has(code)) }).toEqual({ stale: [] });
});

/** Targets of markdown links outside code, but for those that lead elsewhere. */
function linksOf(page: string): string[] {
  const prose = read(page)
    .replace(/^```.*?^```$/gms, '')
    .replace(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

function resolves(page: string, link: string): boolean {
  const [target = '', anchor] = link.split('#');
  const file = target === '' ? page : path.posix.join(path.posix.dirname(page), target);
  if (!existsSync(path.join(root, file))) return false;
  return anchor === undefined || anchorsOf(file).includes(anchor);
}

/** The anchors that headings get where the pages are shown. */
function anchorsOf(file: string): string[] {
  const prose = read(file).replace(/^```.*?^```$/gms, '');
  const headings = [...prose.matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => text);
  return headings.map((text) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The text below a heading, up to the next one. */
function section(file: string, heading: string): string {
  return (
    read(file)
      .split(/^#+ /m)
      .find((part) => part.startsWith(`${heading}\n`)) ?? ''
  );
}

/** Cells of every table row, the lines below heads left out. */
function tableRows(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|') && !/^\|[ :|-]+\|$/.test(line));
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}
