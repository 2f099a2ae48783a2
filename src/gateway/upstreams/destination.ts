import path from 'node:path';
import { AppError } from '../../platform/errors.ts';
import { expandEnvironment } from '../../platform/variables.ts';
import {
  expandArgument,
  expandHeaders,
  expandText,
  expandUrl,
  type FoundCredential,
} from '../../secrets/index.ts';
import { headersOf, refuseInUrl, splitHeaders } from '../connect/account-headers.ts';
import { type Destination, UpstreamError } from '../connectors/contract.ts';
import type { Target } from './target.ts';

/** What definitions lean on: variables, and the directory that relative paths of stdio servers begin at. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
}

/**
 * Fills every placeholder in; opens the sealed credentials. The result is for a connector and nobody else.
 * Throws UpstreamError where a value of the gate's own environment would go to an address that the operator did
 * not write.
 */
export function destinationOf(target: Target, around: Surroundings): Destination {
  try {
    return filledDestination(target, around);
  } catch (error) {
    // Its sentence says what is wrong with the key, and no more of it.
    if (!(error instanceof AppError) || error.code !== 'credential_malformed') throw error;
    const message = `A key of the server "${target.server.id}" cannot be sent. ${error.message}`;
    throw new UpstreamError('unauthorized', message, { cause: error });
  }
}

function filledDestination(target: Target, around: Surroundings): Destination {
  const { env, directory } = around;
  const { definition } = target.server;
  const { filled } = target;
  const secret = (name: string) => {
    const found = target.credentials.get(name);
    // attachCredentials refuses a call whose server lacks a credential, so this is a fault of the gate.
    if (!found) throw new Error(`credential ${name} of ${target.server.id} was not attached`);
    return kept(opened(found, target.server.id));
  };
  const secrets: string[] = [];
  const kept = (value: string) => {
    secrets.push(value);
    return value;
  };
  const own = (text: string) => expandEnvironment(text, (name) => kept(ownValue(name, target, env)));
  if (definition.type !== 'stdio') {
    const url = own(filled.url ?? definition.url);
    refuseInUrl(target.server.id, url, target.credentials);
    const headers = Object.fromEntries(
      Object.entries(headersOf(target.server, filled.headers, filled.url)).map(([name, value]) => [
        name,
        own(value),
      ]),
    );
    const { fixed, changing } = splitHeaders(headers, target.credentials, secret);
    return {
      type: definition.type,
      url: expandUrl(url, secret),
      headers: expandHeaders(fixed, secret),
      ...(changing && { changing }),
    };
  }
  const fill = (text: string) => expandText(own(text), secret, kept);
  return {
    type: 'stdio',
    command: own(definition.command),
    args: filled.args.map((text) => expandArgument(own(text), secret, kept)),
    env: Object.fromEntries(Object.entries(filled.env).map(([name, value]) => [name, fill(value)])),
    cwd: path.resolve(directory, definition.cwd ?? '.'),
    secrets,
  };
}

/** A secret that does not open says nothing of the server: those whose own does go on using it. */
function opened(found: FoundCredential, server: string): string {
  try {
    return found.open();
  } catch (cause) {
    const why = 'has a stored key that cannot be opened; an administrator has to see to it';
    throw new UpstreamError('unauthorized', `The server "${server}" ${why}.`, { cause });
  }
}

/** A value of the gate's own environment, which goes only where the operator said. */
function ownValue(name: string, target: Target, env: Readonly<Record<string, string | undefined>>): string {
  const { id } = target.server;
  const refused = (why: string) => new UpstreamError('unauthorized', `The server "${id}" ${why}.`);
  if (!target.filled.takesEnvironment) {
    throw refused('uses a key of the gate’s environment, which goes only to the address in the config file');
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value === undefined) throw refused(`needs the environment variable ${name}, which is not set`);
  return value;
}
