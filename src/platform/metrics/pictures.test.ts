import { expect, test } from 'vitest';
import { Metrics } from './metrics.ts';
import { Pictures } from './pictures.ts';

/** A process that has counted so many calls and has as many sessions; what it says has travelled as text. */
function processWith(count: number) {
  const metrics = new Metrics();
  let calls = count;
  metrics.total({ name: 'toolgate_calls_total', help: 'Calls.', read: () => calls });
  metrics.gauge({ name: 'toolgate_sessions', help: 'Sessions.', read: () => calls });
  const red = metrics.red({
    name: 'toolgate_x',
    help: 'x',
    label: 'of',
    names: () => ({ most: 1, always: [] }),
  });
  const call = () => {
    calls += 1;
    red.row('a').count('ok', 0.1);
  };
  const picture = async () => JSON.parse(JSON.stringify(await metrics.picture()));
  return { metrics, call, picture };
}

const late = () => Promise.reject(new Error('late'));

/** What the first process tells when the second one answers in this way. */
async function told(
  pictures: Pictures,
  first: ReturnType<typeof processWith>,
  answer: () => Promise<unknown>,
): Promise<string[]> {
  const asked = [{ number: 2, answer: answer() }];
  const text = await first.metrics.text((own) => pictures.answer(own, 1, asked));
  return text
    .split('\n')
    .filter((line) => /^toolgate_(calls_total|sessions|x_duration_seconds_count)\b/.test(line));
}

test('one that is late tells what it told last', async () => {
  const pictures = new Pictures();
  const [first, second] = [processWith(1), processWith(10)];
  second.call();
  const both = [
    'toolgate_calls_total 12',
    'toolgate_sessions 12',
    'toolgate_x_duration_seconds_count{of="a"} 1',
  ];
  expect(await told(pictures, first, second.picture)).toEqual(both);
  expect(await told(pictures, first, late)).toEqual(both);
});

test('what one counted that has ended stays counted, and what it had is gone', async () => {
  const pictures = new Pictures();
  const [first, second] = [processWith(1), processWith(10)];
  second.call();
  await told(pictures, first, second.picture);
  pictures.ended(2);
  const others = await pictures.answer(await first.picture(), 1, []);
  expect(await first.metrics.text(async () => others)).toMatch(/^toolgate_sessions 1$/m);
  const again = processWith(3);
  expect(await told(pictures, first, again.picture)).toEqual([
    'toolgate_calls_total 15',
    'toolgate_sessions 4',
    'toolgate_x_duration_seconds_count{of="a"} 1',
  ]);
  await told(pictures, first, again.picture);
  pictures.ended(2);
  pictures.ended(2);
  expect(await told(pictures, first, late)).toContain('toolgate_calls_total 15');
});

test('what the one that asks has told is kept for when it cannot be asked', async () => {
  const pictures = new Pictures();
  const [first, second] = [processWith(5), processWith(10)];
  await told(pictures, first, second.picture);
  const asked = [{ number: 1, answer: late() }];
  const text = await second.metrics.text((own) => pictures.answer(own, 2, asked));
  expect(text).toMatch(/^toolgate_calls_total 15$/m);
});

test('one that ends between its answer and that of another is not counted twice', async () => {
  const pictures = new Pictures();
  const [first, second, third] = [processWith(1), processWith(10), processWith(100)];
  const slow = Promise.withResolvers<unknown>();
  const asked = [
    { number: 2, answer: second.picture() },
    { number: 3, answer: slow.promise },
  ];
  const text = first.metrics.text((own) => pictures.answer(own, 1, asked));
  await asked[0]!.answer;
  await new Promise(setImmediate);
  pictures.ended(2);
  slow.resolve(await third.picture());
  expect(await text).toMatch(/^toolgate_calls_total 111$/m);
});
