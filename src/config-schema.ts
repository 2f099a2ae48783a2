// Every environment variable and everything in the config file: two schemas, which the reference is printed from.
import { isIP } from 'node:net';
import { z } from 'zod';
import { accessFile } from './access/contract.ts';
import { catalogFile } from './catalog/contract.ts';
import { limitsFile, metaToolsFile } from './gateway/contract.ts';
import { identityFile } from './identity/contract.ts';
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
  DATABASE_URL: urlOf(/^postgres(ql)?$/, 'must be a postgres:// URL')
    .optional()
    .describe('PostgreSQL 15 or newer. Absent: an embedded one in the data directory.'),
  REDIS_URL: urlOf(/^rediss?$/, 'must be a redis:// or rediss:// URL')
    .optional()
    .describe('Redis or Valkey, for the messages between replicas. Absent: they go through PostgreSQL.'),
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
      'Open WebUI of this installation, as Toolgate reaches it. Its sessions then count as sign-ins: it is asked whose each one is.',
    ),
  WEBUI_SECRET_KEY: z
    .string()
    .refine((key) => key !== 't0p-s3cr3t', {
      message:
        'is the value that old Open WebUI versions shipped with, so everybody knows it; choose another one there and here',
    })
    .optional()
    .describe(
      'Not used: sessions of Open WebUI are looked up there, so that Toolgate need not hold the key that makes them.',
    ),
  FORWARD_USER_INFO_HEADER_JWT_SECRET: z
    .string()
    .optional()
    .describe('Key that Open WebUI signs the user header with; the same value as there.'),
  RATE_LIMIT_PER_MINUTE: wholeNumber(1, 1_000_000)
    .prefault('100')
    .describe('Calls a minute that one user may make.'),
  RATE_LIMIT_PER_IP: wholeNumber(1, 10_000_000)
    .prefault('1000')
    .describe(
      'Requests a minute that one address may make. A connection key has none: each person behind it has their own.',
    ),
  RATE_LIMIT_ENABLED: flag.prefault('true').describe('Whether rate limits apply.'),
  ENABLE_API_ANALYTICS: flag.prefault('true').describe('Whether each request is recorded in api_analytics.'),
  META_TOOLS_MODE: flag
    .prefault('false')
    .describe(
      'Show search_tools, describe_tools and call_tool instead of every tool, as ?mode=meta does; ?mode=all shows every tool.',
    ),
  API_GATEWAY_MODE: flag
    .prefault('false')
    .describe(
      'Not used yet. This instance stands behind another Toolgate and believes the signed identity headers of that one.',
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
  catalog: catalogFile
    .default([])
    .describe('Entries of the catalog for this installation alone, beside the shipped ones.'),
  limits: limitsFile
    .prefault({})
    .describe(
      'How many connections and processes there may be; `maxConnections` of a server bounds its own.',
    ),
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
