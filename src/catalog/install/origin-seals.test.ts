import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { ServerId, ServerOrigin, StoredOrigin } from '../../access/contract.ts';
import { createSealer } from '../../platform/sealer.ts';
import type { CatalogEntry } from '../contract.ts';
import { shippedEntries } from '../entries/shipped.ts';
import { allowsFrom } from './allows-command.ts';
import { formOf } from './forms.ts';
import { makeDefinition } from './make-definition.ts';
import { createOriginSeals } from './origin-seals.ts';

const shipped = new Map(shippedEntries().map((entry) => [entry.id, { ...entry, isPrivate: false }]));
const sealsOf = () => createOriginSeals(createSealer(randomBytes(32), 'origins'));
const seals = sealsOf();
const allows = allowsFrom({ find: (id: string) => shipped.get(id) }, seals);

/** A row as an installation with this version would make it. */
function row(version: string, digest: string | null, seal: (origin: ServerOrigin) => StoredOrigin) {
  const form = formOf(shipped.get('everything') as CatalogEntry, 'npx');
  if (form?.way.type !== 'stdio') throw new Error('it is a process');
  const pin = { version, digest };
  const definition = makeDefinition({ form, filled: new Set(), pin });
  const origin: ServerOrigin = {
    ...{
      entry: 'everything',
      transport: 'npx',
      auth: form.auth,
      fields: [],
      package: form.way.package,
      ...pin,
    },
    ...{ pinned: 'given', installedAt: new Date(0).toISOString() },
  };
  return { definition, origin: seal(origin), way: form.way };
}

function runs(id: string, { definition, origin }: ReturnType<typeof row>): boolean {
  if (definition.type !== 'stdio') throw new Error('it is a process');
  return allows(
    { id: id as ServerId, definition, managedBy: 'admin', origin },
    { args: definition.args, env: {} },
  );
}

const unsealed = (origin: ServerOrigin) => ({ ...origin, seal: null });

test('a version that an administrator chose is run because of its seal', () => {
  expect(
    runs(
      'one',
      row('1.0.0', null, (origin) => seals.seal('one', origin)),
    ),
  ).toBe(true);
});

test.each<[string, (origin: ServerOrigin) => StoredOrigin]>([
  ['no seal', unsealed],
  ['a seal that somebody made up', (origin) => ({ ...origin, seal: 'AAAA' })],
  [
    'the seal of another version',
    (origin) => ({ ...seals.seal('one', { ...origin, version: '2.0.0' }), ...origin }),
  ],
  ['the seal of another server', (origin) => seals.seal('two', origin)],
  ['the seal of another installation', (origin) => sealsOf().seal('one', origin)],
])('with %s it is not', (_, seal) => {
  expect(runs('one', row('1.0.0', null, seal))).toBe(false);
});

test('what the catalog names at this moment needs no seal, and its digest has to be the same', () => {
  const { way } = row('1.0.0', null, unsealed);
  const { version = '', integrity = null } = way;
  expect(runs('one', row(version, integrity, unsealed))).toBe(true);
  expect(runs('one', row(version, 'sha512-other', unsealed))).toBe(false);
});
