import type { ServerId } from '../../access/contract.ts';
import { rightsOf } from '../../access/index.ts';
import { type Call, type Gate, principalOf } from '../call.ts';
import { addressLimit } from './address.ts';
import type { Limit, LimitKind, LimitSettings } from './limit.ts';
import type { Ceiling } from './under-way.ts';

/** Limits of whoever calls; of somebody who did not prove who it is, those of the address. The first is the caller's own, of which answers tell. */
export function limitsOfCaller(call: Call, gate: Gate, settings: LimitSettings): Limit[] {
  const limits = call.principal === undefined || isFree(call) ? [] : ofPerson(call, gate, settings);
  if (call.turn && !call.turn.isCounted && !isOfMany(call, gate))
    limits.push(addressLimit(call.clientIp, settings.perAddress));
  return limits;
}

/** Limits of the server and the tool that a call is about, when it is about one and goes there. */
export function limitsOfServer(call: Call, settings: LimitSettings): Limit[] {
  const server = serverOf(call);
  if (server === undefined || isFree(call)) return [];
  const { id } = principalOf(call);
  const own = settings.servers[server] ?? {};
  const tool = call.tool === null ? undefined : `${server}__${call.tool}`;
  const ofTool = (tool !== undefined && Object.hasOwn(settings.tools, tool) && settings.tools[tool]) || {};
  return [
    ...limit('server_user', `${id} ${server}`, own.perUserPerMinute),
    ...limit('server', server, own.perMinute),
    ...limit('tool_user', `${id} ${tool}`, ofTool.perUserPerMinute),
    ...limit('tool', tool ?? '', ofTool.perMinute),
  ];
}

/** How many calls may be under way at a time of those that this one is among. */
export function ceilingsOf(call: Call, settings: LimitSettings): Ceiling[] {
  if (call.principal === undefined || isFree(call) || !lasts(call)) return [];
  const { id } = call.principal;
  const tenant = call.tenant?.id;
  const server = serverOf(call);
  return [
    ...ceiling('user', id, settings.users[id]?.concurrent ?? settings.concurrentPerUser),
    ...ceiling('tenant', tenant, tenant === undefined ? undefined : settings.tenants[tenant]?.concurrent),
    ...ceiling('server', server, server === undefined ? undefined : settings.servers[server]?.concurrent),
  ];
}

function ofPerson(call: Call, gate: Gate, settings: LimitSettings): Limit[] {
  const { id } = principalOf(call);
  const groups = Object.keys(settings.groups).length === 0 ? [] : groupsOf(call, gate, settings);
  const ofGroups = Math.max(0, ...groups.map(({ perUserPerMinute = 0 }) => perUserPerMinute));
  const perMinute = settings.users[id]?.perMinute ?? (ofGroups || settings.perUser);
  const tenant = call.tenant?.id;
  const [widest] = groups
    .flatMap((group) => limit('group', group.name, group.perMinute))
    .sort((a, b) => b.perMinute - a.perMinute || (a.id < b.id ? -1 : 1));
  return [
    { kind: 'user', id, perMinute },
    ...(widest ? [widest] : []),
    ...(tenant === undefined ? [] : limit('tenant', tenant, settings.tenants[tenant]?.perMinute)),
  ];
}

/** Limits of all groups of the caller, also where the URL is about one: a URL must not lead around a limit. */
function groupsOf(call: Call, gate: Gate, settings: LimitSettings) {
  const { onlyGroup: _, ...principal } = principalOf(call);
  const { groups } = rightsOf(call.snapshot, principal, gate.clock());
  return groups.flatMap((name) =>
    Object.hasOwn(settings.groups, name) ? [{ name, ...settings.groups[name] }] : [],
  );
}

function limit(kind: LimitKind, id: string, perMinute: number | undefined): Limit[] {
  return perMinute === undefined ? [] : [{ kind, id, perMinute }];
}

function ceiling(kind: Ceiling['kind'], id: string | undefined, atOnce: number | undefined): Ceiling[] {
  return id === undefined || atOnce === undefined ? [] : [{ kind, id, atOnce }];
}

/**
 * Is it a request that costs its caller nothing? A description of tools comes from memory, and Open WebUI fetches it for
 * all its people with one key; its own pages ask for a hundred files, and whom it does not know has an address alone.
 */
function isFree(call: Call): boolean {
  if (call.passing) return !call.passing.isCostly || call.principal === undefined;
  return call.face === 'openapi' && call.message === undefined;
}

function isOfMany(call: Call, gate: Gate): boolean {
  if (call.principal) return call.principal.authSource.startsWith('connection-key');
  return gate.identity.speaksForMany(call.header('authorization'));
}

/** What the gate answers from what it knows is no load for any server. */
const answeredHere = /^(initialize|ping|server\/discover|subscriptions\/listen|logging\/.*|[a-z/]+\/list)$/;

function serverOf(call: Call): ServerId | undefined {
  const isForServer =
    call.message?.kind === 'request' && !answeredHere.test(call.message.method) && call.metaTool === null;
  return isForServer && call.servers.length === 1 ? call.servers[0]?.id : undefined;
}

/** Notifications, and requests for a stream, are over at once. */
function lasts(call: Call): boolean {
  return call.passing !== undefined || call.message?.kind === 'request';
}
