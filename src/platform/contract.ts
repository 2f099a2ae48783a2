import { z } from 'zod';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * One admin API endpoint: the server validates with it, the CLI and the portal call with it and the
 * OpenAPI document is printed from it. Paths are relative to `/mcp-admin/api` and name their
 * parameters in braces: `/users/{email}`.
 */
export interface Endpoint<
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
> {
  readonly method: Method;
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly output: Output;
  /** Status of a successful answer. 204 has no body, whatever `output` says. */
  readonly status: 200 | 201 | 204;
}

const none = z.object({});

/** Declares an endpoint; what is left out is empty. */
export function endpoint<
  Params extends z.ZodObject = typeof none,
  Query extends z.ZodObject = typeof none,
  Body extends z.ZodType = z.ZodUndefined,
  Output extends z.ZodType = z.ZodUndefined,
>(spec: {
  method: Method;
  path: string;
  tag: string;
  summary: string;
  params?: Params;
  query?: Query;
  body?: Body;
  output?: Output;
  status?: 200 | 201 | 204;
}): Endpoint<Params, Query, Body, Output> {
  return {
    method: spec.method,
    path: spec.path,
    tag: spec.tag,
    summary: spec.summary,
    // Each default is the very type its parameter falls back to when the caller leaves it out.
    params: spec.params ?? (none as unknown as Params),
    query: spec.query ?? (none as unknown as Query),
    body: spec.body ?? (z.undefined() as unknown as Body),
    output: spec.output ?? (z.undefined() as unknown as Output),
    status: spec.status ?? 200,
  };
}

/** `?search=&limit=&cursor=` of every list. `limit` is 1..200, 50 when absent. */
export const pageQuery = z.object({
  search: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(1000).optional(),
});

export type PageQuery = z.infer<typeof pageQuery>;

/** One page of a list; `nextCursor` is null on the last one. */
export function page<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}

export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** Who performs an admin request, as every handler sees it. */
export interface Actor {
  /** E-mail, `service:<name>` or `admin-token`. */
  readonly id: string;
  readonly requestId: string;
  readonly clientIp: string;
}

export interface HandlerInput<E extends Endpoint> {
  readonly params: z.infer<E['params']>;
  readonly query: z.infer<E['query']>;
  readonly body: z.infer<E['body']>;
  readonly actor: Actor;
}

/** An endpoint with the function that answers it. Features export lists of these; `admin/app.ts` mounts them. */
export interface Route {
  readonly endpoint: Endpoint;
  readonly handle: (input: HandlerInput<Endpoint>) => Promise<unknown>;
}

/** Ties a handler to its endpoint, checked by the compiler on both sides. */
export function route<E extends Endpoint>(
  spec: E,
  handle: (input: HandlerInput<E>) => Promise<z.input<E['output']>>,
): Route {
  // The app parses params, query and body with `spec` before it calls, so the handler gets what it expects.
  return { endpoint: spec, handle };
}
