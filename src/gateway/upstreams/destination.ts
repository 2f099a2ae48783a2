import path from 'node:path';
import { expandEnvironment } from '../../platform/variables.ts';
import { expandHeaders, expandText, expandUrl } from '../../secrets/index.ts';
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
  const { env, directory } = around;
  const { definition } = target.server;
  const secret = (name: string) => {
    const found = target.credentials.get(name);
    // attachCredentials refuses a call whose server lacks a credential, so this is a fault of the gate.
    if (!found) throw new Error(`credential ${name} of ${target.server.id} was not attached`);
    return kept(found.open());
  };
  const secrets: string[] = [];
  const kept = (value: string) => {
    secrets.push(value);
    return value;
  };
  const own = (text: string) => expandEnvironment(text, (name) => kept(ownValue(name, target, env)));
  if (definition.type !== 'stdio') {
    const headers = Object.fromEntries(
      Object.entries(definition.headers).map(([name, value]) => [name, own(value)]),
    );
    return {
      type: definition.type,
      url: expandUrl(own(target.url ?? definition.url), secret),
      headers: expandHeaders(headers, secret),
    };
  }
  const fill = (text: string) => expandText(own(text), secret);
  return {
    type: 'stdio',
    command: own(definition.command),
    args: definition.args.map(fill),
    env: Object.fromEntries(Object.entries(definition.env).map(([name, value]) => [name, fill(value)])),
    cwd: path.resolve(directory, definition.cwd ?? '.'),
    secrets,
  };
}

/** A value of the gate's own environment, which goes only where the operator said. */
function ownValue(name: string, target: Target, env: Readonly<Record<string, string | undefined>>): string {
  const { id } = target.server;
  const refused = (why: string) => new UpstreamError('unauthorized', `The server "${id}" ${why}.`);
  if (!target.trusted) {
    throw refused('uses a key of the gate’s environment, which goes only to the address in the config file');
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value === undefined) throw refused(`needs the environment variable ${name}, which is not set`);
  return value;
}
