// What a caller without a valid credential is told: RFC 6750 section 3 and RFC 9728 section 5.1.
import { AppError } from '../platform/errors.ts';
import { CredentialRefused } from './errors.ts';

const wellKnown = '/.well-known/oauth-protected-resource';

export interface Challenge {
  /** 401 for a request that carried no credential. */
  missing(path: string): AppError;
  /** 401 for a refused credential; any other error comes back as it is. */
  refused(path: string, error: unknown): unknown;
}

export function createChallenge(publicUrl: string): Challenge {
  const base = withoutSlash(publicUrl);
  const header = (path: string) =>
    `Bearer resource_metadata="${base}${wellKnown}${quotable(resourcePath(path))}"`;
  return {
    missing: (path) =>
      new AppError(
        'unauthenticated',
        401,
        'Sign in first: send an access token or an API token as "Authorization: Bearer …".',
        {
          detail: { reason: 'no_credential' },
          headers: { 'WWW-Authenticate': header(path) },
        },
      ),
    refused(path, error) {
      if (!(error instanceof CredentialRefused)) return error;
      const description = error.message.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "'");
      return new AppError('unauthenticated', 401, error.message, {
        detail: { reason: error.reason, ...error.facts },
        headers: {
          'WWW-Authenticate': `${header(path)}, error="invalid_token", error_description="${description}"`,
        },
      });
    },
  };
}

/**
 * RFC 9728 section 2. Clients compare `resource` with the URL they dialled, so there is one document per path.
 * `authorization_servers` is left out when there are none: an empty list is not allowed.
 */
export function resourceMetadata(
  publicUrl: string,
  path: string,
  issuers: readonly string[],
): Record<string, unknown> {
  return {
    resource: withoutSlash(publicUrl) + resourcePath(path),
    ...(issuers.length > 0 && { authorization_servers: issuers }),
    bearer_methods_supported: ['header'],
    resource_name: 'Toolgate',
  };
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

function resourcePath(path: string): string {
  return path === '/' ? '' : path;
}

/** Paths come from the request: nothing in them may end the quoted string. */
function quotable(path: string): string {
  return path.replace(/[^A-Za-z0-9/._~%:@-]/g, encodeURIComponent);
}
