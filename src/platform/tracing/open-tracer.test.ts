import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createLog } from '../log.ts';
import { openTracer } from './open-tracer.ts';

test('without a collector there is no tracer, and nobody else loads one', async () => {
  const options = { version: '1', instance: 'a', log: createLog('silent'), clock: Date.now, env: {} };
  expect(await openTracer(undefined, options)).toBeUndefined();
  const root = new URL('../../../', import.meta.url);
  const loading = globSync('{src,cli}/**/*.ts', { cwd: root }).filter(
    (file) =>
      !/(otel|some-a-second)(\.test)?\.ts$/.test(file) &&
      /^import (?!type).*(?:@opentelemetry|\/(?:otel|some-a-second)\.ts)/m.test(
        readFileSync(new URL(file, root), 'utf8'),
      ),
  );
  expect(loading).toEqual([]);
});
