import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { importsOf } from '../../../test/architecture.ts';

const root = path.resolve(import.meta.dirname, '../../..');

/** Every file and package that a file loads, directly or not. What is imported for its types alone is not loaded. */
function loadedBy(entry: string): string[] {
  const found = new Set<string>();
  const queue = [entry];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    const source = readFileSync(path.join(root, file), 'utf8').replaceAll(
      /^import type [^;]*;$|^export type \{[^;]*;$/gm,
      '',
    );
    for (const one of importsOf(file, source)) {
      if (one.package !== null) found.add(one.package);
      else if (one.file !== null && existsSync(path.join(root, one.file))) queue.push(one.file);
    }
  }
  return [...found];
}

test('the process of the runner loads neither a database, nor anything that opens a secret, nor the rest of the gate', () => {
  const loaded = loadedBy('src/start/runner.ts');
  expect(loaded).toContain('src/gateway/connectors/stdio.ts');
  const packages = loaded.filter((one) => !one.startsWith('src/') && !one.startsWith('node:'));
  expect(packages.sort()).toEqual(['jsonc-parser', 'minisearch', 'pino', 'zod']);
  const foreign = loaded.filter((one) =>
    /^src\/(platform\/(db|bus)|secrets|access|identity|audit|admin)\//.test(one),
  );
  expect(foreign.filter((one) => !one.endsWith('/contract.ts'))).toEqual([]);
  const ofGate = loaded.filter((one) =>
    /^src\/gateway\/(?!runner\/|connectors\/|rpc\/|contract\.ts)/.test(one),
  );
  expect(ofGate).toEqual([]);
});
