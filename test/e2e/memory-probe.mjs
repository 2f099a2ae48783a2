// Loaded into Toolgate by tests (`node --expose-gc --import …`): at SIGUSR2 it collects garbage and says what is left.
process.on('SIGUSR2', () => {
  globalThis.gc?.();
  const open = process.getActiveResourcesInfo();
  const sockets = open.filter((name) => name === 'TCPSocketWrap').length;
  const children = open.filter((name) => name === 'ProcessWrap').length;
  process.stderr.write(
    `\nprobe ${JSON.stringify({ heap: process.memoryUsage().heapUsed, sockets, children })}\n`,
  );
});
