import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { textIn } from './read-text.ts';
import { CallError, type Input, type Terminal } from './terminal.ts';

const mostPiped = 1024 * 1024;

/** The terminal, or the pipes, that this process was started with. */
export function processTerminal(): Terminal {
  const writeError = (text: string): void => void process.stderr.write(text);
  return {
    env: process.env,
    write: (text) => void process.stdout.write(text),
    writeError,
    complain: (message) => writeError(`toolgate: ${message}\n`),
    input: processInput(),
  };
}

/** Standard input. Questions go to standard error, so that what a command prints can be piped on. */
function processInput(): Input {
  return {
    isPerson: process.stdin.isTTY === true,
    read,
    ask: (question) => ask(question, process.stderr),
    // Raw mode keeps the terminal from showing what is typed, and nothing else prints it.
    askHidden: async (question) => {
      process.stderr.write(question);
      try {
        return await ask('', new Writable({ write: (_chunk, _encoding, done) => done() }));
      } finally {
        process.stderr.write('\n');
      }
    },
  };
}

async function read(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostPiped) throw new CallError('What is piped in is longer than 1 MiB.');
    chunks.push(chunk);
  }
  return textIn(Buffer.concat(chunks), 'What is piped in');
}

async function ask(question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  const given = new AbortController();
  lines.once('SIGINT', () => lines.close());
  const ended = once(lines, 'close', { signal: given.signal }).then(() => {
    throw new Error('closed');
  });
  try {
    return await Promise.race([lines.question(question), ended]);
  } catch (cause) {
    throw new CallError('Stopped; nothing was changed.', { cause });
  } finally {
    given.abort();
    ended.catch(() => undefined);
    lines.close();
  }
}
