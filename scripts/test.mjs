// `npm test`: installs what is missing, runs every check and every test, and ends with `N passed, N failed`.
// `npm test -- src/access` runs only the tests whose path holds that text.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureChromium } from './chromium.mjs';
import { ensureBubblewrap } from './bubblewrap.mjs';
import { createProgress, program, runUnder, seconds } from './launch.mjs';
import { ensurePostgres } from './postgres.mjs';
import { ensureRedis } from './redis.mjs';
import { ensureDependencies, ensureRuntime, projectRoot } from './runtime.mjs';

await program(async () => {
  const progress = createProgress(6);
  const node = await ensureRuntime(progress);
  await ensureDependencies({ dev: true }, progress);
  await ensurePostgres(progress);
  await ensureRedis(progress);
  await ensureBubblewrap(progress);
  await ensureChromium(progress);
  const results = mkdtempSync(join(tmpdir(), 'toolgate-test-'));
  try {
    return await runAll(node, process.argv.slice(2), results);
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
});

/**
 * @param {string} node
 * @param {string[]} filters none: everything, the checks included
 * @param {string} results a folder for the files in which the programs leave their counts
 */
async function runAll(node, filters, results) {
  const counts = [];
  if (filters.length === 0) counts.push(await runChecks(node, join(results, 'checks.json')));
  counts.push(await runTests(node, filters, join(results, 'tests.json')));
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

/**
 * @param {string} node
 * @param {string} file
 */
async function runChecks(node, file) {
  const code = await runUnder(node, [join(projectRoot, 'scripts', 'check.ts')], {
    TOOLGATE_CHECK_RESULTS: file,
  });
  const { passed, failed } = read(file) ?? { passed: 0, failed: 1 };
  return { passed, failed: atLeastOne(failed, code) };
}

/**
 * @param {string} node
 * @param {string[]} filters
 * @param {string} file
 */
async function runTests(node, filters, file) {
  const began = performance.now();
  const vitest = join(projectRoot, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const code = await runUnder(node, [vitest, 'run', '--root', projectRoot, ...reporters, ...filters]);
  process.stdout.write(`tests: ${code === 0 ? 'ok' : 'FAILED'} in ${seconds(began)}\n`);
  const report = read(file);
  if (!report) return { passed: 0, failed: 1 };
  const unloadable = report.testResults.filter(isUnloadable).length;
  return { passed: report.numPassedTests, failed: atLeastOne(report.numFailedTests + unloadable, code) };
}

/**
 * A test file that failed as a whole (an import, a hook) counts as one failure: none of its tests is one.
 * @param {{ status: string, assertionResults: { status: string }[] }} file
 */
function isUnloadable({ status, assertionResults }) {
  return status === 'failed' && !assertionResults.some((test) => test.status === 'failed');
}

/**
 * A program that failed without naming a failure (an unhandled error, a crash, nothing found) counts as one.
 * @param {number} failed
 * @param {number} exitCode
 */
function atLeastOne(failed, exitCode) {
  return exitCode === 0 ? failed : Math.max(failed, 1);
}

/** @param {string} file */
function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // The program ended before it wrote it.
  }
}
