// What no request may be, on each face, and the status that it is answered with.
import { bearer } from './clients.ts';

export interface RefusedRequest {
  readonly what: string;
  readonly where: string;
  readonly status: number;
  readonly init: (token: string) => RequestInit;
}

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
const post = (headers: Record<string, string>, body: string): RequestInit => ({
  ...{ method: 'POST', headers, body },
});

/** Of a gate with the server `plain`, whose tool `echo` takes a `text`. */
export const refusedRequests: readonly RefusedRequest[] = [
  { what: 'no token', where: '/mcp', status: 401, init: () => post(json, ping) },
  {
    ...{ what: 'wrong token', where: '/mcp', status: 401 },
    init: () => post({ ...json, ...bearer('tg_wrong') }, ping),
  },
  {
    ...{ what: 'wrong origin', where: '/mcp', status: 403 },
    init: (token) => post({ ...json, ...bearer(token), origin: 'https://evil.example' }, ping),
  },
  {
    ...{ what: 'no JSON', where: '/mcp', status: 400 },
    init: (token) => post({ ...json, ...bearer(token) }, '{"jsonrpc":'),
  },
  {
    ...{ what: 'wrong type', where: '/mcp', status: 415 },
    init: (token) => post({ ...bearer(token), 'content-type': 'text/plain' }, ping),
  },
  {
    ...{ what: 'wrong method', where: '/mcp', status: 405 },
    init: (token) => ({ method: 'PUT', headers: { ...json, ...bearer(token) }, body: ping }),
  },
  {
    ...{ what: 'stream without a session', where: '/mcp', status: 405 },
    init: (token) => ({ headers: { ...bearer(token), accept: 'text/event-stream' } }),
  },
  {
    ...{ what: 'end without a session', where: '/mcp', status: 405 },
    init: (token) => ({ method: 'DELETE', headers: bearer(token) }),
  },
  {
    ...{ what: 'lost stream', where: '/sse?session=gone', status: 404 },
    init: (token) => post({ ...json, ...bearer(token) }, ping),
  },
  {
    ...{ what: 'no such server', where: '/mcp/nothing', status: 404 },
    init: (token) => post({ ...json, ...bearer(token) }, ping),
  },
  {
    ...{ what: 'no such tool', where: '/tools/plain/nothing', status: 404 },
    init: (token) => post({ ...json, ...bearer(token) }, '{}'),
  },
  {
    ...{ what: 'wrong arguments', where: '/tools/plain/echo', status: 422 },
    init: (token) => post({ ...json, ...bearer(token) }, '{"text":[]}'),
  },
  { what: 'no such page', where: '/gateway/nothing', status: 404, init: () => ({}) },
  { what: 'admin API without a token', where: '/mcp-admin/api/users', status: 401, init: () => ({}) },
  {
    ...{ what: 'admin API for everybody', where: '/mcp-admin/api/users', status: 403 },
    init: (token) => ({ headers: bearer(token) }),
  },
  {
    ...{ what: 'wrong method for the older transport', where: '/sse', status: 405 },
    init: (token) => post({ ...json, ...bearer(token) }, ping),
  },
  {
    ...{ what: 'too long for the older transport', where: '/sse?session=gone', status: 413 },
    init: (token) => post({ ...json, ...bearer(token) }, 'x'.repeat(5 * 1024 ** 2)),
  },
  {
    ...{ what: 'too long', where: '/mcp', status: 413 },
    init: (token) => post({ ...json, ...bearer(token) }, 'x'.repeat(5 * 1024 ** 2)),
  },
  {
    ...{ what: 'wrong method for a tool', where: '/tools/plain/echo', status: 405 },
    init: (token) => ({ headers: bearer(token) }),
  },
  {
    ...{ what: 'wrong method for the list of servers', where: '/servers', status: 405 },
    init: (token) => ({ method: 'DELETE', headers: bearer(token) }),
  },
];
