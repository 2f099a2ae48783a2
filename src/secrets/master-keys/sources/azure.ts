import {
  EnvironmentCredential,
  ManagedIdentityCredential,
  type TokenCredential,
  WorkloadIdentityCredential,
} from '@azure/identity';
import { CryptographyClient, type CryptographyClientOptions } from '@azure/keyvault-keys';
import { AppError } from '../../../platform/errors.ts';
import { keyBytes } from '../master-key.ts';
import { keyStoreRefused } from '../master-key-errors.ts';
import type { KeySource } from './contract.ts';

/** The whole of one question, with every attempt and every wait between them. */
const limitMs = 30_000;
const algorithm = 'RSA-OAEP-256';

export interface AzureOptions {
  /** Default: what the environment says, see `signIn`. */
  readonly credential?: TokenCredential;
  readonly client?: CryptographyClientOptions;
}

/**
 * Azure Key Vault and Managed HSM: `azure:<key identifier with version>#<wrapped key>`. The RSA key never leaves the
 * vault; it is asked once for each entry at start, and not again while the process runs.
 */
export function azureKeyVault(o: AzureOptions = {}): KeySource {
  const clientOf = (url: string) =>
    new CryptographyClient(url, o.credential ?? signIn(process.env), {
      // The library waits as long as the vault asks it to (429, 503), and longer each time.
      retryOptions: { maxRetries: 4, maxRetryDelayInMs: 8_000 },
      ...o.client,
    });
  return {
    isEntry: (entry) => parse(entry)?.wrapped !== undefined,
    async unwrap(entry) {
      const { url, wrapped } = parse(entry) ?? {};
      if (url === undefined || wrapped === undefined)
        throw keyStoreRefused('This is no entry of Azure Key Vault.');
      const bytes = await ask(url, async (options) => {
        const { result } = await clientOf(url).unwrapKey(
          algorithm,
          Buffer.from(wrapped, 'base64url'),
          options,
        );
        return Buffer.from(result);
      });
      if (bytes.length === keyBytes) return bytes;
      bytes.fill(0);
      throw keyStoreRefused(
        `What ${url} unwrapped is not a master key; make the entry with "toolgate keys wrap".`,
      );
    },
    async wrap(place, masterKey) {
      const { url, wrapped } = parse(place) ?? {};
      if (url === undefined || wrapped !== undefined) throw keyStoreRefused(notAPlace);
      return ask(url, async (options) => {
        const { result } = await clientOf(url).wrapKey(algorithm, masterKey, options);
        return `azure:${url}#${Buffer.from(result).toString('base64url')}`;
      });
    },
  };
}

const notAPlace =
  'The key to wrap with must be given whole, with its version: azure:https://<vault>.vault.azure.net/keys/<name>/<version>.';

/** The version is needed: another one of the same key cannot unwrap what this one wrapped. */
function parse(entry: string): { url: string; wrapped: string | undefined } | undefined {
  const match = /^azure:(https:\/\/[\w.-]+(?::\d+)?\/keys\/[\w-]+\/[\w-]+)(?:#([\w-]{342,}))?$/.exec(entry);
  return match?.[1] === undefined ? undefined : { url: match[1], wrapped: match[2] };
}

/** How programs sign in to Azure: the identity of a Kubernetes workload, a service principal, else that of the machine. */
function signIn(env: NodeJS.ProcessEnv): TokenCredential {
  if (env['AZURE_FEDERATED_TOKEN_FILE']) return new WorkloadIdentityCredential();
  if (env['AZURE_CLIENT_SECRET'] || env['AZURE_CLIENT_CERTIFICATE_PATH']) return new EnvironmentCredential();
  const clientId = env['AZURE_CLIENT_ID'];
  return clientId ? new ManagedIdentityCredential({ clientId }) : new ManagedIdentityCredential();
}

async function ask<T>(url: string, work: (options: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
  const abortSignal = AbortSignal.timeout(limitMs);
  try {
    return await work({ abortSignal });
  } catch (error) {
    if (error instanceof AppError) throw error;
    // The library's error is no cause to keep: it holds the request, and that may be the key to wrap.
    throw keyStoreRefused(`Azure Key Vault: ${url} ${reasonOf(error, abortSignal)}`);
  }
}

/** By status and name, not by text: texts of the library say more than a person needs, and differ by version. */
function reasonOf(error: unknown, { aborted }: AbortSignal): string {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) || 0 : 0;
  const name = error instanceof Error ? error.name : '';
  if (aborted) return `gave no answer within ${limitMs / 1000} seconds.`;
  if (/^(?:CredentialUnavailable|Authentication|AggregateAuthentication)/.test(name))
    return 'was not asked: this process cannot sign in to Azure; see docs/master-keys.md for what it needs.';
  return byStatus[status] ?? (status === 0 ? 'cannot be reached.' : `answered with HTTP ${status}.`);
}

const byStatus: Readonly<Record<number, string>> = {
  400: 'cannot unwrap this: it was wrapped by another key, or is damaged.',
  401: 'does not know this process; give its identity the role Key Vault Crypto User.',
  403: 'refuses this process; give its identity the role Key Vault Crypto User (wrap and unwrap), and enable the key.',
  404: 'is not there: no such key, or no such version of it.',
  429: 'has too much to do; try again in a minute.',
};
