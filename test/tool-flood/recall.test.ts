import { expect, test } from 'vitest';
import { figuresOf, items, questions, servers, shownName } from './evaluation.ts';

test('there are over 500 real tools, and 60 questions whose answers are among them', () => {
  const names = new Set(items.map(({ name }) => name));
  expect(names.size).toBeGreaterThan(1_000);
  expect(servers).toHaveLength(30);
  expect(questions).toHaveLength(60);
  expect(questions.filter(({ heldOut }) => heldOut)).toHaveLength(20);
  const unknown = questions.flatMap(({ tools }) => tools.filter((name) => !names.has(shownName(name))));
  expect(unknown).toEqual([]);
});

// Reached: 35 of 40 and 15 of 20. A change that loses more than one of either has to be a good one.
test.each([
  ['questions that weights and words were chosen with', false, 34],
  ['questions that were held out', true, 14],
])('the right tool is among the first five for most %s', async (what, heldOut, least) => {
  const figures = await figuresOf(questions.filter((one) => one.heldOut === heldOut));
  const { first, firstFive, meanReciprocalRank, questions: all } = figures;
  console.log(
    `${what}: recall@1 ${first}/${all}, recall@5 ${firstFive}/${all}, MRR ${meanReciprocalRank.toFixed(2)}`,
  );
  expect(firstFive).toBeGreaterThanOrEqual(least);
});
