// Every environment variable and everything in the config file: a schema for each, which the reference is printed from.
import { isIP } from 'node:net';
import { z } from 'zod';
import { accessFile } from './access/contract.ts';
import { analyticsFile, auditFile } from './audit/contract.ts';
import { catalogFile } from './catalog/contract.ts';
import { limitsFile, metaToolsFile, metricsFile, rateLimitsFile } from './gateway/contract.ts';
import { identityFile } from './identity/contract.ts';
import { isAddressRange } from './platform/http/client-address.ts';
const flag = z.stringbool({
  truthy: ['true', '1', 'yes'],
  falsy: ['false', '0', 'no'],
  error: 'must be true, false, 1, 0, yes or no',
});
const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .refine((text) => /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max, {
      message: `must be a whole number from ${min} to ${max}`,
    })
    .transform(Number);
const urlOf = (schemes: RegExp, error: string) => z.url({ protocol: schemes, error });
const webUrl = urlOf(/^https?$/, 'must be an http:// or https:// URL').transform((url) =>
  url.replace(/\/+$/, ''),
);
const origins = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  )
  .refine((list) => list.every(isOrigin), {
    message: 'must be origins such as https://chat.acme.com, separated by commas, or *',
  });
const addressRanges = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter((part) => part !== ''))
  .refine((list) => list.every(isAddressRange), {
    message: 'must be addresses or ranges such as 10.0.0.0/8, separated by commas',
  });
// What a key store wrapped begins with its name; the store judges the rest.
const masterKeys = z.string().refine(
  (text) =>
    text
      .trim()
      .split(/[\s,]+/)
      .every((key) => /^(?:[\w+/-]{43}=?|[a-z]+:\S+)$/.test(key)),
  {
    message:
      'must be 32 bytes in base64 (make them with: openssl rand -base64 32) or what "toolgate keys wrap" prints; several are separated by commas',
  },
);

const hostAndPort = z
  .string()
  .regex(/^.+:\d{1,5}$/, 'must be an address and a port, such as 127.0.0.1:8086')
  .transform((text) => {
    const colon = text.lastIndexOf(':');
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
  });
const wallKinds = ['bubblewrap', 'unshare', 'none'] as const;

/** Every environment variable. docs/configuration.md and .env.example are printed from it. */
export const environmentSchema = z.object({
  PORT: wholeNumber(0, 65535).prefault('8085').describe('Port to listen on; 0 takes any free one.'),
  HOST: z.string().default('127.0.0.1').describe('Address to listen on; 0.0.0.0 for every interface.'),
  PUBLIC_URL: webUrl
    .optional()
    .describe('The address that people and clients reach Toolgate at. Default: http://localhost:PORT.'),
  WORKERS: z
    .union([z.literal('auto'), wholeNumber(1, 256)], {
      error: 'must be auto or a whole number from 1 to 256',
    })
    .prefault('1')
    .describe('How many processes serve, for a machine with several cores; auto: one for each core.'),
  SHUTDOWN_SECONDS: wholeNumber(1, 3_600)
    .prefault('25')
    .describe('Longest time for a clean stop. Calls under way may take all but the last four seconds of it.'),
  DATABASE_URL: urlOf(/^postgres(ql)?$/, 'must be a postgres:// URL')
    .optional()
    .describe('PostgreSQL 15 or newer. Absent: an embedded one in the data directory.'),
  REDIS_URL: urlOf(/^rediss?$/, 'must be a redis:// or rediss:// URL')
    .optional()
    .describe(
      'Redis or Valkey, for the messages between replicas and for limits that they count together. Absent: messages go through PostgreSQL, and each limits alone.',
    ),
  TOOLGATE_CONFIG: z.string().default('mcp-servers.json').describe('The config file.'),
  TOOLGATE_DATA_DIR: z
    .string()
    .default('.toolgate')
    .describe('Where the embedded database and generated keys are kept.'),
  TOOLGATE_MASTER_KEY: masterKeys
    .optional()
    .describe(
      'Seals stored credentials: 32 bytes in base64, or a key that a key store unwraps. One or several, separated by commas; see docs/master-keys.md.',
    ),
  TOOLGATE_MASTER_KEY_FILE: z
    .string()
    .optional()
    .describe(
      'A file with master keys, where TOOLGATE_MASTER_KEY is absent. Without either, a key is made at first start and kept in the data directory.',
    ),
  TOOLGATE_ADMIN_TOKEN: z
    .string()
    .optional()
    .describe('Bearer token for the admin API. Absent: made at first start and kept in the data directory.'),
  TOOLGATE_RUNNER: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe(
      'Where servers run that are processes: `auto` in a runner, which Toolgate starts for itself unless TOOLGATE_RUNNER_URL names one; `off` beside Toolgate, held by nothing. On Windows always off.',
    ),
  TOOLGATE_RUNNER_URL: webUrl.optional().describe('A runner that was started by itself; see docs/runner.md.'),
  TOOLGATE_RUNNER_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{32,}$/, 'must be 32 characters or more; make one with: openssl rand -base64 32')
    .optional()
    .describe('What opens the runner at TOOLGATE_RUNNER_URL; the same value there.'),
  TOOLGATE_RUNNER_LISTEN: hostAndPort
    .prefault('127.0.0.1:8086')
    .describe('For `toolgate runner`: where it listens.'),
  TOOLGATE_RUNNER_USER: z
    .string()
    .optional()
    .describe(
      'For a runner that is root: the user, by name or number, that servers run as; a range such as `60001-60999` gives each server, for each tenant, another one. Absent: nobody, where that breaks nothing. `root`: none.',
    ),
  TOOLGATE_RUNNER_WALLS: z
    .enum(['auto', ...wallKinds])
    .default('auto')
    .describe(
      'What the runner puts between servers and the rest of the machine: `auto` the best that works; any other must work, or it does not start.',
    ),
  TOOLGATE_RUNNER_CGROUPS: flag
    .prefault('true')
    .describe('Whether the runner uses control groups where it may.'),
  TOOLGATE_RUNNER_PROCESSES: wholeNumber(1, 10_000)
    .prefault('200')
    .describe('Most servers in the runner at a time; one server, or one tenant, has at most half of them.'),
  TOOLGATE_RUNNER_KEEP_DAYS: wholeNumber(0, 36_500)
    .prefault('90')
    .describe(
      'For how many days the runner keeps what a server has put into a directory of its own, counted from its last process there. 0: for ever.',
    ),
  OPEN_WEBUI_URL: webUrl
    .optional()
    .describe(
      "Open WebUI of this installation, as Toolgate reaches it. Everything that is not Toolgate's own goes there, and its sessions count as sign-ins: it is asked whose each one is.",
    ),
  OPEN_WEBUI_REDIS_URL: urlOf(/^rediss?$/, 'must be a redis:// or rediss:// URL')
    .optional()
    .describe("Open WebUI's REDIS_URL. Needed with WEBUI_SECRET_KEY: ended sessions are told of there."),
  OPEN_WEBUI_REDIS_PREFIX: z.string().default('open-webui').describe("Open WebUI's REDIS_KEY_PREFIX."),
  WEBUI_SECRET_KEY: z
    .string()
    .refine((key) => key !== 't0p-s3cr3t', {
      message:
        'is the value that old Open WebUI versions shipped with, so everybody knows it; choose another one there and here',
    })
    .optional()
    .describe(
      "Open WebUI's key for sessions. Best left out: with it, and OPEN_WEBUI_REDIS_URL, forged and ended sessions are known without asking Open WebUI, but it can make sessions of anybody.",
    ),
  FORWARD_USER_INFO_HEADER_JWT_SECRET: z
    .string()
    .optional()
    .describe('Key that Open WebUI signs the user header with; the same value as there.'),
  RATE_LIMIT_PER_MINUTE: wholeNumber(1, 1_000_000)
    .prefault('100')
    .describe('Calls a minute that one user may make; `rateLimits` of the config file says more.'),
  RATE_LIMIT_PER_IP: wholeNumber(1, 10_000_000)
    .prefault('1000')
    .describe(
      'Requests a minute that one address may make. A connection key has none: each person behind it has their own.',
    ),
  RATE_LIMIT_ENABLED: flag
    .prefault('true')
    .describe('Whether rate limits apply, and those of calls under way.'),
  TRUSTED_PROXIES: addressRanges
    .prefault('')
    .describe(
      'Addresses and ranges of the proxies in front, separated by commas: what they say in X-Forwarded-For or Forwarded is believed.',
    ),
  ENABLE_API_ANALYTICS: flag.prefault('true').describe('Whether each request is recorded in api_analytics.'),
  META_TOOLS_MODE: flag
    .prefault('false')
    .describe(
      'Show search_tools, describe_tools and call_tool instead of every tool, as ?mode=meta does; ?mode=all shows every tool.',
    ),
  API_GATEWAY_MODE: flag
    .prefault('false')
    .describe(
      'This instance stands behind another Toolgate and believes the signed identity headers of that one; needs API_GATEWAY_URL.',
    ),
  API_GATEWAY_URL: webUrl
    .optional()
    .describe(
      'The Toolgate in front, as this one reaches it: its keys are fetched from /gateway/jwks.json there.',
    ),
  API_GATEWAY_AUDIENCE: webUrl
    .optional()
    .describe(
      'How the Toolgate in front reaches this one: scheme, host and port. Signatures that were made for another address do not count.',
    ),
  CORS_ALLOWED_ORIGINS: origins
    .prefault('')
    .describe('Origins of web pages that may call Toolgate from a browser, separated by commas.'),
  NPM_CONFIG_REGISTRY: webUrl
    .optional()
    .describe(
      'npm registry that the catalog asks for versions; npx has its own setting of this name. Default: the public one.',
    ),
  UV_DEFAULT_INDEX: webUrl
    .optional()
    .describe(
      'Index of Python packages that the catalog asks for versions; uvx has its own setting of this name. Default: the public one.',
    ),
  METRICS_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/, 'must be 16 characters or more; make one with: openssl rand -base64 32')
    .optional()
    .describe('Bearer token that opens /metrics. Absent: it is for this machine alone.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: webUrl
    .optional()
    .describe(
      'Where traces go: a collector of OpenTelemetry that takes OTLP over HTTP. Absent: none are made. Other OTEL_ variables work as its specification says; see docs/observability.md.',
    ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: webUrl
    .optional()
    .describe('The same, for a collector that takes traces at another path than /v1/traces.'),
  OTEL_TRACES_SAMPLER: z
    .enum([
      ...(['always_on', 'always_off', 'traceidratio'] as const),
      ...(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const),
    ])
    .optional()
    .describe('Which traces are kept. Absent: all, but for those that a caller says are not.'),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(?:0(?:\.\d+)?|1(?:\.0+)?)$/, 'must be a number from 0 to 1')
    .optional()
    .describe('For the samplers of a ratio: the share that is kept, from 0 to 1.'),
  TRACE_PEOPLE: flag
    .prefault('false')
    .describe('Whether traces say who called, from which address and with what program.'),
  ACCESS_LOG: flag.prefault('false').describe('Whether each HTTP request is a line in the log.'),
  DEBUG: flag.prefault('false').describe('Log more.'),
});

const cidr = z.string().refine(isCidr, { message: 'must be an address range such as 10.1.0.0/16' });

/** The whole of `mcp-servers.json`. docs/mcp-servers.schema.json is printed from it. */
export const configFileSchema = accessFile.extend({
  $schema: z.string().optional().describe('Where editors find the schema of this file.'),
  identity: identityFile.prefault({}).describe('Who is believed when they say who is calling.'),
  network: z
    .strictObject({
      allow: z
        .array(cidr)
        .default([])
        .describe('Private address ranges that server URLs may lead to; all others are refused.'),
    })
    .prefault({})
    .describe('What outgoing connections may reach.'),
  analytics: analyticsFile.prefault({}).describe('How long records of requests are kept.'),
  audit: auditFile
    .prefault({})
    .describe('Where records of changes are brought besides the database; see docs/audit.md.'),
  catalog: catalogFile
    .default([])
    .describe('Entries of the catalog for this installation alone, beside the shipped ones.'),
  limits: limitsFile
    .prefault({})
    .describe(
      'How many connections and processes there may be; `maxConnections` of a server bounds its own.',
    ),
  rateLimits: rateLimitsFile
    .prefault({})
    .describe('Limits beside RATE_LIMIT_PER_MINUTE and RATE_LIMIT_PER_IP; see docs/limits.md.'),
  metrics: metricsFile
    .prefault({})
    .describe('Which servers and tenants have numbers of their own at /metrics.'),
  metaTools: metaToolsFile
    .prefault({})
    .describe('When clients get three tools that find and call the others, instead of all of them.'),
});
export type ConfigFile = z.infer<typeof configFileSchema>;

function isOrigin(text: string): boolean {
  return text === '*' || (URL.canParse(text) && new URL(text).origin === text);
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  const version = isIP(address);
  return (
    version !== 0 && rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
  );
}
