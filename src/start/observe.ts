// What operators see from outside: metrics, traces, and a line in the log for each request.
import type { Server, ServerResponse } from 'node:http';
import { type Degraded, partNames } from '../admin/index.ts';
import { type Answered, watchAnswer } from '../platform/http/answered.ts';
import { originReader } from '../platform/http/client-address.ts';
import type { Log } from '../platform/log.ts';
import type { Parts } from './build.ts';
import { version } from './program.ts';

/** The numbers that the parts keep themselves. */
export function tellMetrics(parts: Parts, degradedParts: () => Promise<readonly Degraded[]>): void {
  const { metrics, tracer } = parts.observe;
  // First, for what comes after asks the database itself.
  tellDatabase(parts);
  metrics.gauge({
    ...{ name: 'toolgate_info', help: 'The version that runs.', labels: ['version'], together: 'first' },
    read: () => [{ labels: { version }, value: 1 }],
  });
  metrics.gauge({
    ...{ name: 'toolgate_degraded', labels: ['part'], together: 'max' },
    help: 'Whether a part does not work as it should, as /gateway/ready says.',
    read: async () => {
      const degraded = new Set((await degradedParts()).map(({ part }) => part));
      return partNames.map((part) => ({ labels: { part }, value: Number(degraded.has(part)) }));
    },
  });
  tellGateway(parts);
  tellRecords(parts);
  if (!tracer) return;
  metrics.total({
    ...{ name: 'toolgate_spans_total', help: 'Spans, by what became of them.', labels: ['state'] },
    read: () => labelled('state', { ...tracer.counts() }),
  });
}

function tellGateway({ gateway, observe, file }: Parts): void {
  const { metrics } = observe;
  const gauge = (name: string, help: string, read: () => number) => metrics.gauge({ name, help, read });
  metrics.gauge({
    ...{ name: 'toolgate_upstream_connections', help: 'Connections to servers.', labels: ['kind'] },
    read: () => {
      const { connections, processes } = gateway.counts();
      return labelled('kind', { remote: connections - processes, process: processes });
    },
  });
  gauge('toolgate_upstream_in_flight', 'Requests to servers under way.', () => gateway.counts().inFlight);
  gauge('toolgate_sessions', 'MCP sessions of the legacy era.', () => gateway.counts().sessions);
  gauge('toolgate_streams', 'Clients that listen for changes.', () => gateway.counts().subscribers);
  gauge('toolgate_parked_calls', 'Calls that wait for answers of people.', () => gateway.counts().parked);
  metrics.gauge({
    ...{ name: 'toolgate_servers_away', labels: ['server'], together: 'max' },
    help: 'Servers that cannot be reached at the moment, by name where there are few.',
    read: () => awayOf(gateway.unreachable(), file().metrics.most),
  });
}

/** A hundred servers behind one dead network are a hundred lines, but never more. */
function awayOf(away: readonly { readonly server: string }[], most: number) {
  const named = away.slice(0, most).map(({ server }) => ({ labels: { server }, value: 1 }));
  const others = away.length - named.length;
  return others === 0 ? named : [...named, { labels: { server: 'other' }, value: others }];
}

function tellRecords({ recorder, observe: { metrics } }: Parts): void {
  metrics.gauge({
    ...{ name: 'toolgate_records_waiting', labels: ['place'] },
    help: 'Records of calls that are not in the database yet.',
    read: () => {
      const { queued, spilled } = recorder.state();
      return labelled('place', { memory: queued, disk: spilled });
    },
  });
  metrics.total({
    ...{ name: 'toolgate_records_failed_total', labels: ['state'] },
    help: 'Records of calls that are lost, or were refused by the database and set aside.',
    read: () => {
      const { lost, rejected } = recorder.state();
      return labelled('state', { lost, rejected });
    },
  });
  metrics.gauge({
    ...{ name: 'toolgate_records_accepting', together: 'min' },
    help: 'Whether records can be kept; calls are refused while they cannot.',
    read: () => Number(recorder.accepting()),
  });
}

function tellDatabase({ database, observe: { metrics } }: Parts): void {
  metrics.gauge({
    ...{ name: 'toolgate_database_connections', help: 'Connections to the database.', labels: ['state'] },
    read: () => {
      const { open, idle } = database.counts();
      return labelled('state', { used: open - idle, idle });
    },
  });
  metrics.gauge({
    name: 'toolgate_database_waiting',
    help: 'Queries that wait for a connection to the database.',
    read: () => database.counts().waiting,
  });
}

function labelled(label: string, values: Readonly<Record<string, number>>) {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

/** Counts every HTTP request, and writes a line for each where the operator wants that. */
export function observeRequests(server: Server, { config, log, observe }: Parts): void {
  const red = observe.metrics.red({
    ...{ name: 'toolgate_http_requests', help: 'HTTP requests', label: 'part' },
    names: () => ({ most: 20, always: [] }),
  });
  observe.metrics.gauge({
    ...{ name: 'toolgate_http_connections', help: 'Open connections of clients.' },
    read: () => new Promise((resolve) => server.getConnections((error, count) => resolve(error ? 0 : count))),
  });
  const originOf = originReader(config.TRUSTED_PROXIES);
  // Before the server itself, which may answer at once.
  server.prependListener('request', (req, res) => {
    // Without the query, which may hold what nobody should read.
    const [template = '/'] = (req.url ?? '/').split('?', 1);
    const clientIp = config.ACCESS_LOG ? originOf(req).clientIp : '';
    watchAnswer({ req, res, clientIp, template, isToldElsewhere: false }, (answered) => {
      const status = res.headersSent ? answered.status : goneBefore;
      red.row(partOf(template, status, res)).count(classOf(status), answered.milliseconds / 1_000);
      if (config.ACCESS_LOG) tellRequest(log, template, { ...answered, status });
    });
  });
}

/** The client was gone before there was an answer. */
const goneBefore = 499;

/** What a request is about, in a few words; streams last as long as their clients. */
function partOf(path: string, status: number, res: ServerResponse): string {
  if (status === 101 || /^text\/event-stream/.test(String(res.getHeader('content-type')))) return 'streams';
  if (path.startsWith('/mcp-admin/')) return 'admin';
  if (path === '/gateway/health' || path === '/gateway/ready' || path === '/metrics') return 'status';
  return path.startsWith('/gateway/') ? 'pages' : 'calls';
}

const classes = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

function classOf(status: number): string {
  return classes[Math.floor(status / 100) - 1] ?? 'other';
}

function tellRequest(log: Log, path: string, answered: Answered): void {
  const { requestId, method, status, clientIp, milliseconds, bytesOut } = answered;
  const line = { requestId, method, path, status, clientIp, bytesOut };
  log.info({ ...line, milliseconds: Math.round(milliseconds) }, 'request');
}
