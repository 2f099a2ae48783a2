import type { Outcome } from '../audit/contract.ts';
import type { Unfilled } from '../access/index.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import { texts } from './connect/texts.ts';
import { UpstreamError, type UpstreamFailure } from './connectors/contract.ts';
import type { Limit, Over } from './limits/limit.ts';
import type { Ceiling } from './limits/under-way.ts';
import { Refusal } from './refusal.ts';
import { gateCode, rpcCode } from './rpc/protocol.ts';

/** Everything the data plane refuses with: one function each, so that wording and codes stand in one place. */

const denied = {
  outcome: 'denied',
  status: 404,
  rpcCode: gateCode.notFound,
} as const satisfies Partial<Refusal>;

/** "Not yours" and "not there" look the same. */
export function noSuchServer(server: string): Refusal {
  return new Refusal('server_not_found', `There is no server "${shown(server)}" that you may use.`, denied);
}

/** `closest` are the caller's own tools that come near. */
export function noSuchTool(tool: string, closest: readonly string[] = []): Refusal {
  const hint =
    closest.length === 0 ? '' : ` Closest: ${closest.join(', ')}. Use search_tools to find others.`;
  return new Refusal('tool_not_found', `There is no tool "${shown(tool)}" that you may use.${hint}`, {
    ...denied,
    status: 200,
    rpcCode: rpcCode.invalidParams,
  });
}

export function noSuchPrompt(prompt: string): Refusal {
  return new Refusal('prompt_not_found', `There is no prompt "${shown(prompt)}" that you may use.`, {
    ...denied,
    status: 200,
    rpcCode: rpcCode.invalidParams,
  });
}

export function noSuchResource(uri: string): Refusal {
  return new Refusal('resource_not_found', `There is no resource "${shown(uri)}" that you may use.`, {
    ...denied,
    status: 200,
    rpcCode: rpcCode.invalidParams,
    data: { uri },
  });
}

/** The same for a page that is over and for one of somebody else. */
export function resultPageGone(uri: string): Refusal {
  return new Refusal(
    'result_page_gone',
    'This part of a result is not kept any more, or is not yours; call the tool again.',
    { ...denied, status: 200, rpcCode: rpcCode.invalidParams, data: { uri } },
  );
}

/** The same for a task that never was, is over, or is somebody else's (SEP-2663, protocol errors). */
export function noSuchTask(): Refusal {
  return new Refusal('task_not_found', 'There is no such task that you may use.', {
    ...denied,
    status: 200,
    rpcCode: rpcCode.invalidParams,
  });
}

export function sessionNeeded(): Refusal {
  return new Refusal(
    'session_needed',
    'Resources can be followed in a session only: initialize first and send its Mcp-Session-Id.',
    { outcome: 'bad_request', status: 400, rpcCode: rpcCode.invalidRequest },
  );
}

export function userDisabled(): Refusal {
  return new Refusal('user_disabled', 'Your account is disabled here; ask an administrator.', {
    outcome: 'denied',
    status: 403,
    rpcCode: gateCode.refused,
  });
}

export function tenantUnknown(tenant: string | null): Refusal {
  const which = tenant === null ? 'the tenant of your token' : `a tenant "${shown(tenant)}"`;
  return new Refusal('tenant_unknown', `You are not in ${which}.`, denied);
}

export function tenantAmbiguous(choices: readonly string[]): Refusal {
  const list = choices.join(', ');
  return new Refusal(
    'tenant_ambiguous',
    `You are in several tenants (${list}): use the URL /t/{tenant}/mcp of the one you mean, or ask an administrator to set your default.`,
    { outcome: 'denied', status: 409, rpcCode: gateCode.refused, data: { choices } },
  );
}

const limited = { outcome: 'rate_limited', status: 429, rpcCode: gateCode.limited } as const;

/** Says whose limit it is, and nothing of what others have used. */
export function rateLimited({ limit, seconds }: Over): Refusal {
  const message = `Too many requests${whoseLimit(limit)}: try again in ${seconds} s.`;
  const data = { retryAfter: seconds, limit: { of: limit.kind, perMinute: limit.perMinute } };
  return new Refusal('rate_limited', message, { ...limited, data });
}

function whoseLimit({ kind, id }: Limit): string {
  const name = kind.endsWith('_user') ? id.slice(id.indexOf(' ') + 1) : id;
  if (kind === 'address') return ' from this address';
  if (kind === 'group') return ` of the group "${shown(id)}" together`;
  if (kind === 'tenant') return ` of the tenant "${id}" together`;
  if (kind === 'server' || kind === 'server_user') return ` to the server "${name}"`;
  return kind === 'tool' || kind === 'tool_user' ? ` to the tool "${shown(name)}"` : '';
}

export function tooManyAtOnce({ kind, id, atOnce }: Ceiling): Refusal {
  const whose = { user: 'You have', tenant: `The tenant "${id}" has`, server: `The server "${id}" has` }[
    kind
  ];
  const message = `${whose} as many calls under way as may be at a time (${atOnce}): try again when one has ended.`;
  const data = { retryAfter: 1, limit: { of: kind, atOnce } };
  return new Refusal('too_many_at_once', message, { ...limited, data });
}

export function recordsFull(): Refusal {
  return new Refusal(
    'records_full',
    'The gate cannot keep its records at the moment and takes no calls until it can; try again soon.',
    {
      outcome: 'error',
      status: 503,
      rpcCode: gateCode.unavailable,
    },
  );
}

export function noCredential(server: string): Refusal {
  return new Refusal(
    'no_credential',
    `The server "${server}" needs a key that has not been set for you or your tenant; ask an administrator to add it.`,
    { outcome: 'no_credential', status: 200, rpcCode: gateCode.refused },
  );
}

/** A value is missing that says where the server is, or what it is told. `tenant` is the active one. */
export function notFilled(server: string, tenant: { readonly id: string } | null, why: Unfilled): Refusal {
  const as = { outcome: 'no_credential', status: 200, rpcCode: gateCode.refused } as const;
  if (why.kind === 'unfit') {
    const message = `The server "${server}" cannot be used here: it ${why.why}; ask an administrator to mend it.`;
    return new Refusal('variable_not_allowed', message, as);
  }
  if (why.kind === 'no_tenant' || tenant === null) {
    const message = `The server "${server}" is another one for each tenant, and you act for none; use the URL /t/{tenant}/mcp, or ask an administrator to put you into a tenant.`;
    return new Refusal('no_variable', message, as);
  }
  const message = `The server "${server}" needs a value for the variable "${why.variable}", which is not set for the tenant ${tenant.id}; ask an administrator to set it.`;
  return new Refusal('no_variable', message, as);
}

const ownAccount = { outcome: 'no_credential', status: 200, rpcCode: gateCode.refused } as const;

/** The caller has no account there, or one that does not count any more (`problem`); `url` is where to connect it. */
export function accountNeeded(server: string, url: string, problem: string | undefined): Refusal {
  return new Refusal('account_needed', texts.needed(server, url, problem), { ...ownAccount, data: { url } });
}

export function connectDeclined(server: string, url: string): Refusal {
  return new Refusal('account_declined', texts.declined(server, url), { ...ownAccount, data: { url } });
}

export function personNeeded(server: string): Refusal {
  return new Refusal('person_needed', texts.personNeeded(server), ownAccount);
}

export function secretAddress(server: string): Refusal {
  return new Refusal('account_address_secret', texts.secretAddress(server), ownAccount);
}

export function unknownMethod(): Refusal {
  return new Refusal('method_not_found', 'Method not found', {
    outcome: 'bad_request',
    status: 404,
    rpcCode: rpcCode.methodNotFound,
  });
}

export function invalidParams(message: string, data?: unknown): Refusal {
  return new Refusal('invalid_params', message, {
    outcome: 'bad_request',
    status: 400,
    rpcCode: rpcCode.invalidParams,
    data,
  });
}

const outcomeOf: Readonly<Record<UpstreamFailure, Outcome>> = {
  unreachable: 'upstream_error',
  timeout: 'timeout',
  cancelled: 'cancelled',
  closed: 'upstream_error',
  protocol: 'upstream_error',
  too_large: 'upstream_error',
  unauthorized: 'upstream_error',
  session_expired: 'upstream_error',
  busy: 'upstream_error',
  paused: 'upstream_error',
  not_allowed: 'upstream_error',
  http_status: 'upstream_error',
};

/** What a failing server looks like to the caller: the sentence of an UpstreamError is safe, any other is not. */
export function upstreamFailed(server: string, error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const unreadable = unreadableIn(error);
  if (unreadable) return credentialUnreadable(server, unreadable);
  const known = error instanceof UpstreamError;
  const message = known ? error.message : `The server "${server}" could not be used.`;
  const outcome = known ? outcomeOf[error.kind] : 'error';
  return new Refusal(known ? `upstream_${error.kind}` : 'upstream_failed', message, {
    outcome,
    status: 200,
    rpcCode: gateCode.unavailable,
    cause: known ? error : new Error(messageOf(error), { cause: error }),
  });
}

/** The same for the call that found it out and for those that come while the server is left alone because of it. */
function credentialUnreadable(server: string, cause: AppError): Refusal {
  const message = `The key that is stored for the server "${server}" cannot be opened, so nothing was sent; an administrator has to see to it.`;
  return new Refusal('credential_unreadable', message, {
    outcome: 'no_credential',
    status: 200,
    rpcCode: gateCode.unavailable,
    cause,
  });
}

function unreadableIn(error: unknown): AppError | undefined {
  let one = error;
  for (let depth = 0; depth < 5 && one instanceof Error; depth++, one = one.cause)
    if (one instanceof AppError && one.code === 'credential_unreadable') return one;
  return undefined;
}

/** A caller's own word, shortened before it is repeated. */
function shown(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
