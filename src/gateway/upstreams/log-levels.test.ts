import { expect, test } from 'vitest';
import { LogLevels } from './log-levels.ts';

function world() {
  let now = 1_000_000;
  const told: string[] = [];
  const set = async (level: string) => void told.push(level);
  return { levels: new LogLevels(set, () => now), told, pass: (ms: number) => (now += ms) };
}

test('the server is told the most verbose level that anyone wants, and only when that changes', async () => {
  const { levels, told } = world();
  await levels.want('one', 'error');
  await levels.want('two', 'warning');
  await levels.want('one', 'error');
  await levels.want('three', 'critical');
  expect(told).toEqual(['error', 'warning']);
});

test('whoever wanted most and asks for less lets the server say less', async () => {
  const { levels, told } = world();
  await levels.want('one', 'debug');
  await levels.want('two', 'warning');
  await levels.want('one', 'error');
  expect(told).toEqual(['debug', 'warning']);
});

test('a wish ends with its request, or when its owner was not heard of for long', async () => {
  const { levels, told, pass } = world();
  await levels.want('request', 'debug');
  levels.release('request');
  pass(60_000);
  await levels.want('two', 'info');
  pass(600_001);
  await levels.want('three', 'error');
  expect(told).toEqual(['debug', 'info', 'error']);
});

test('a new session is told again', async () => {
  const { levels, told } = world();
  levels.begin();
  await levels.want('one', 'notice');
  levels.begin();
  expect(told).toEqual(['notice', 'notice']);
});
