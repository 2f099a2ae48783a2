import { expect, test } from 'vitest';
import { type ServerDefinition, serverDefinition } from '../../access/contract.ts';
import { variableNames } from '../../access/placeholders.ts';
import { isExactlyPinned } from '../../gateway/runner/pinned-commands.ts';
import { allowedCommand } from '../../gateway/runner/allowed-commands.ts';
import { credentialNames } from '../../secrets/index.ts';
import type { CatalogEntry } from '../contract.ts';
import { shippedEntries } from '../entries/shipped.ts';
import { type Form, formOf, formsOf } from './forms.ts';
import { makeDefinition } from './make-definition.ts';
import { pinnedCommands } from './pinned-commands.ts';

const entries = shippedEntries();
const forms = entries.flatMap((entry) =>
  formsOf(entry).map((form) => [`${entry.id} ${form.transport} ${form.auth}`, form] as const),
);

const pins = {
  npx: { version: '1.2.3', digest: null },
  uvx: { version: '1.2.3', digest: null },
  docker: { version: 'latest', digest: `sha256:${'0'.repeat(64)}` },
  binary: null,
};

function made(form: Form, filled: readonly string[]): ServerDefinition {
  const pin = form.way.type === 'stdio' ? pins[form.way.runtime] : null;
  return makeDefinition({ form, filled: new Set(filled), pin });
}

function textsOf(definition: ServerDefinition): string[] {
  if (definition.type === 'stdio') return [...definition.args, ...Object.values(definition.env)];
  return [definition.url, ...Object.values(definition.headers)];
}

const minimal = ({ fields, oneOf }: Form) => [
  ...fields.filter(({ required }) => required).map(({ name }) => name),
  ...oneOf.slice(0, 1),
];

test('there are 210 entries, and the forms of all of them are looked at', () => {
  expect(entries).toHaveLength(210);
  expect(forms.length).toBeGreaterThan(350);
});

test.each(forms)(
  '%s: every placeholder of its definition has a field, filled in sparely or wholly',
  (_, form) => {
    for (const filled of [minimal(form), form.fields.map(({ name }) => name)]) {
      const definition = made(form, filled);
      expect(serverDefinition.safeParse(definition).error).toBeUndefined();
      const kept = form.fields.filter(({ name }) => filled.includes(name)).map(({ keptAs }) => keptAs);
      const named = (kind: string) => kept.filter((one) => one.kind === kind).map(({ name }) => name);
      const account = form.auth === 'oauth' && definition.type !== 'stdio' ? ['default'] : [];
      const secrets = named('credential').filter((name) => name !== 'oauth-client-secret');
      expect(credentialNames(textsOf(definition))).toEqual([...secrets, ...account].sort());
      expect(variableNames(textsOf(definition)).sort()).toEqual(named('variable').sort());
      expect(
        textsOf(definition)
          .join(' ')
          .replaceAll(/\$\{[^}]*\}/g, ''),
      ).not.toMatch(/[{}]/);
    }
  },
);

test.each(forms)(
  '%s: names are told apart, and one secret at most is the main one',
  (_, { fields, auth, way }) => {
    const names = fields.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const main = fields.filter(({ keptAs }) => keptAs.name === 'default');
    const secrets = fields.filter(({ secret, name }) => secret && name !== 'oauth-client-secret');
    expect(main).toHaveLength(secrets.length > 0 ? 1 : 0);
    if (auth === 'oauth' && way.type !== 'stdio') expect(main).toEqual([]);
  },
);

test.each(forms.filter(([, { way }]) => way.type === 'stdio' && !way.serves && way.runtime !== 'binary'))(
  '%s: what it starts is pinned, and the runner takes it',
  (_, form) => {
    const definition = made(form, minimal(form));
    if (definition.type !== 'stdio') throw new Error('it is a process');
    const fill = (text: string) => text.replaceAll(/\$\{(?!dataDir)[^}]*\}/g, 'value');
    const env = Object.fromEntries(Object.entries(definition.env).map(([name, text]) => [name, fill(text)]));
    const wanted = {
      server: 'x',
      cwd: '/',
      command: definition.command,
      args: definition.args.map(fill),
      env,
    };
    expect(isExactlyPinned(definition)).toBe(true);
    expect(
      allowedCommand(wanted, new Map(), pinnedCommands([{ ...form.entry, isPrivate: false }])),
    ).toBeDefined();
    const other = { ...wanted, env: { ...env, NODE_OPTIONS: '--require=/tmp/x.js' } };
    expect(
      allowedCommand(other, new Map(), pinnedCommands([{ ...form.entry, isPrivate: false }])),
    ).toBeUndefined();
  },
);

function definitionOf(id: string, transport: string, auth: string, filled?: readonly string[]): unknown {
  const entry = entries.find((one) => one.id === id) as CatalogEntry;
  const form = formOf(entry, transport, auth);
  if (!form) throw new Error(`${id} has no ${transport} with ${auth}`);
  const { displayName: _, description: __, enabled: ___, ...rest } = made(form, filled ?? minimal(form));
  const { timeoutMs: _t, maxResponseBytes: _m, recordArguments: _r, ...definition } = rest;
  return definition;
}

test.each([
  [
    'a key as bearer',
    ['github', 'http', 'bearer'],
    {
      type: 'http',
      url: 'https://api.githubcopilot.com/mcp/',
      headers: { Authorization: 'Bearer ${credential}' },
    },
  ],
  [
    'a variable in the host',
    ['gitlab', 'http-2', 'oauth'],
    {
      type: 'http',
      url: 'https://${variable:gitlab_host}/api/v4/mcp',
      headers: { Authorization: 'Bearer ${credential}' },
      account: { kind: 'oauth', scopes: ['mcp'] },
    },
  ],
  [
    'a scheme of its own',
    ['pagerduty', 'http', 'api-key'],
    {
      type: 'http',
      url: 'https://mcp.pagerduty.com/mcp',
      headers: { Authorization: 'Token token=${credential}' },
    },
  ],
  [
    'user and password',
    ['bitbucket', 'http', 'basic'],
    {
      type: 'http',
      url: 'https://mcp.atlassian.com/v2/mcp',
      headers: { Authorization: 'Basic ${credential.basic}' },
    },
  ],
  [
    'the other alternative of the same header',
    ['bitbucket', 'http', 'bearer'],
    {
      type: 'http',
      url: 'https://mcp.atlassian.com/v2/mcp',
      headers: { Authorization: 'Bearer ${credential}' },
    },
  ],
  [
    'two keys',
    ['datadog', 'http', 'api-key'],
    {
      type: 'http',
      url: 'https://mcp.datadoghq.com/v1/mcp',
      headers: { DD_API_KEY: '${credential}', DD_APPLICATION_KEY: '${credential:DD_APPLICATION_KEY}' },
    },
  ],
  [
    'a client registered by hand',
    ['slack', 'http', 'oauth'],
    {
      type: 'http',
      url: 'https://mcp.slack.com/mcp',
      headers: { Authorization: 'Bearer ${credential}' },
      account: { kind: 'oauth' },
    },
  ],
  [
    'npm, with what is optional left out',
    ['gitlab-community', 'npx', 'api-key'],
    {
      type: 'stdio',
      command: 'npx',
      args: ['-y', '@zereight/mcp-gitlab@1.2.3'],
      env: { GITLAB_PERSONAL_ACCESS_TOKEN: '${credential}' },
    },
  ],
  [
    'PyPI, with a secret as argument',
    ['redis', 'uvx', 'basic'],
    {
      type: 'stdio',
      command: 'uvx',
      args: ['redis-mcp-server==1.2.3', '--url', '${credential}'],
      env: {},
    },
  ],
  [
    'an image, with its variables passed on by name',
    ['docker-hub', 'docker', 'api-key'],
    {
      type: 'stdio',
      command: 'docker',
      args: [
        ...['run', '-i', '--rm', '-e', 'HUB_PAT_TOKEN', `mcp/dockerhub:latest@sha256:${'0'.repeat(64)}`],
        ...['--transport=stdio', '--username=${variable:username}'],
      ],
      env: { HUB_PAT_TOKEN: '${credential}' },
    },
  ],
  [
    'a container that listens on HTTP',
    ['crowdstrike-falcon', 'docker', 'api-key'],
    { type: 'http', url: 'http://${variable:address}:8000/mcp', headers: {} },
  ],
  [
    'a path, which begins in the directory of its process',
    ['filesystem', 'npx', 'none'],
    {
      type: 'stdio',
      command: 'npx',
      args: ['-y', '@modelcontextprotocol/server-filesystem@1.2.3', '${dataDir}/${variable:allowed_path}'],
      env: {},
      isolation: 'tenant',
    },
  ],
  [
    'a state that must not be shared',
    ['memory', 'npx', 'none'],
    {
      type: 'stdio',
      command: 'npx',
      args: ['-y', '@modelcontextprotocol/server-memory@1.2.3'],
      env: {},
      isolation: 'tenant',
    },
  ],
] as const)('%s', (_, [id, transport, auth], expected) => {
  expect(definitionOf(id, transport, auth)).toEqual(expected);
});

test('a query is added when its field is filled in, and not when it is not', () => {
  expect(definitionOf('supabase', 'http', 'bearer')).toMatchObject({ url: 'https://mcp.supabase.com/mcp' });
  expect(definitionOf('supabase', 'http', 'bearer', ['token', 'project_ref', 'read_only'])).toMatchObject({
    url: 'https://mcp.supabase.com/mcp?project_ref=${variable:project_ref}&read_only=${variable:read_only}',
  });
});

test('where several keys are optional, one of them has to be there', () => {
  const entry = entries.find(({ id }) => id === 'atlassian-self-hosted') as CatalogEntry;
  const form = formOf(entry, 'docker', 'api-key');
  expect(form?.oneOf).toEqual([
    'JIRA_API_TOKEN',
    'JIRA_PERSONAL_TOKEN',
    'CONFLUENCE_API_TOKEN',
    'CONFLUENCE_PERSONAL_TOKEN',
  ]);
});

test('an entry has no form for a way or a kind that it does not have', () => {
  const entry = entries.find(({ id }) => id === 'github') as CatalogEntry;
  expect(formOf(entry, 'nowhere')).toBeUndefined();
  expect(formOf(entry, 'http', 'basic')).toBeUndefined();
  expect(formOf(entry, 'http')?.auth).toBe('oauth');
});
