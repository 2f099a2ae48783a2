import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';
import { api } from '../src/admin/contract.ts';
import { api as gateway } from '../src/gateway/contract.ts';
import { type Connection, connect, request } from './call.ts';
import { CallError, type Outcome, table, type Terminal } from './terminal.ts';

/** `state` is `bad` when Toolgate cannot do its work because of it. */
interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warn' | 'bad';
  readonly message: string;
}

export function doctorCommand(terminal: Terminal, outcome: Outcome): Command {
  return new Command('doctor')
    .description('check this machine, the server and the config file')
    .action(async (_options: unknown, command: Command) => {
      const connection = connect(command, terminal);
      const findings = [
        nodeVersion(),
        await dataDirectory(terminal.env['TOOLGATE_DATA_DIR'] || '.toolgate'),
        await attempt('server', () => server(connection)),
        await attempt('config file', () => configFile(connection)),
        ...(await runner(connection)),
      ];
      if (findings.some(({ state }) => state === 'bad')) outcome.code = 1;
      if (connection.json) return terminal.write(`${JSON.stringify({ findings }, null, 2)}\n`);
      terminal.write(
        table(
          ['CHECK', 'STATE', ''],
          findings.map(({ check, state, message }) => [check, state, message]),
          '',
        ),
      );
    });
}

function nodeVersion(): Finding {
  const fine = process.features.typescript !== false;
  return {
    check: 'node',
    state: fine ? 'ok' : 'bad',
    message: `${process.version}${fine ? '' : ' cannot run TypeScript; use Node 24'}`,
  };
}

async function dataDirectory(directory: string): Promise<Finding> {
  const place = path.resolve(directory);
  try {
    await access(place, constants.R_OK | constants.W_OK);
    return { check: 'data directory', state: 'ok', message: place };
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (absent)
      return {
        check: 'data directory',
        state: 'warn',
        message: `${place} is not there yet; the first start makes it`,
      };
    return { check: 'data directory', state: 'bad', message: `${place} cannot be written by this user` };
  }
}

const readiness = z.object({
  status: z.string(),
  degraded: z.array(z.object({ part: z.string(), meaning: z.string() })).default([]),
});

async function server({ url }: Connection): Promise<Omit<Finding, 'check'>> {
  const response = await request(`${url}/gateway/ready`);
  const answer = readiness.safeParse(await response.json().catch(() => null));
  if (!answer.success) throw new CallError(`what answers at ${url} is not Toolgate`);
  const { status, degraded } = answer.data;
  if (degraded.length > 0) {
    const parts = degraded.map(({ part, meaning }) => `${part}: ${meaning}`);
    return { state: 'warn', message: `${status} at ${url}; ${parts.join(' ')}` };
  }
  return { state: response.ok ? 'ok' : 'bad', message: `${status} at ${url}` };
}

/** A dry run reads and checks the file exactly as a start would. */
async function configFile({ call }: Connection): Promise<Omit<Finding, 'check'>> {
  const { changes } = await call(api.applyConfig, { body: { dryRun: true } });
  const due = changes.filter(({ kind }) => kind !== 'orphan').length;
  if (due === 0) return { state: 'ok', message: 'valid and applied' };
  return { state: 'warn', message: `valid, but ${due} to change; see "toolgate apply --dry-run"` };
}

/** Where servers run that are processes, and everything that holds them there. */
async function runner({ call }: Connection): Promise<Finding[]> {
  try {
    const { mode, answers, message, awaySince, inForce } = await call(gateway.getRunner, {});
    const first: Finding = {
      check: 'runner',
      state: answers ? 'ok' : 'warn',
      message: awaySince === null ? `${mode}: ${message}` : `${mode}: ${message} Away since ${awaySince}.`,
    };
    const held = inForce.map(({ feature, state, how }): Finding => {
      const shown = state === 'on' ? how : `${state}: ${how}`;
      return { check: `runner: ${feature}`, state: state === 'off' ? 'warn' : 'ok', message: shown };
    });
    return [first, ...held];
  } catch (error) {
    if (error instanceof CallError) return [{ check: 'runner', state: 'bad', message: error.message }];
    throw error;
  }
}

async function attempt(check: string, look: () => Promise<Omit<Finding, 'check'>>): Promise<Finding> {
  try {
    return { check, ...(await look()) };
  } catch (error) {
    if (error instanceof CallError) return { check, state: 'bad', message: error.message };
    throw error;
  }
}
