// Exit code 0 when Toolgate, or its runner, answers in this container; for the health check of the image.
const port = process.env.PORT ?? '8085';
const runnerPort = (process.env.TOOLGATE_RUNNER_LISTEN ?? ':8086').replace(/^.*:/, '');

/** @param {string} url */
async function answers(url) {
  const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(4_000) });
  if (!ok) throw new Error(`${url} answers with HTTP ${status}`);
}

try {
  await Promise.any([
    answers(`http://127.0.0.1:${port}/gateway/health`),
    answers(`http://127.0.0.1:${runnerPort}/health`),
  ]);
} catch (error) {
  process.exitCode = 1;
  for (const one of error instanceof AggregateError ? error.errors : [error])
    process.stderr.write(`${one}\n`);
}
