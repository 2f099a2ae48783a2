// Which settings of Open WebUI Toolgate relies on, and what can be told of them from outside.
import { createHmac } from 'node:crypto';
import type { OpenWebUi } from './open-webui-api.ts';

/** `unseen` cannot be told from outside; `unused` has no effect as Open WebUI is set up. */
export interface Setting {
  readonly name: string;
  readonly state: 'right' | 'missing' | 'unseen' | 'unused';
  readonly message: string;
}

/** How Open WebUI named the person behind a call that Toolgate has just seen; undefined when none was seen. */
export type Forwarding = 'signed' | 'plain' | 'nobody' | 'unverified' | undefined;

const oldest = [0, 10, 2] as const;
const where = 'set it in the environment of Open WebUI and start it again';
const signOnPage = 'set it in the environment of Open WebUI, or in its Admin Settings under Authentication';

/** Looks at everything; asks Open WebUI only, and changes nothing. */
export async function checkSettings(owui: OpenWebUi, forwarding: Forwarding): Promise<Setting[]> {
  const [version, config, signOn] = await Promise.all([
    owui.version(),
    owui.publicConfig(),
    owui.signOnSettings(),
  ]);
  const hasSignOn = Object.keys(config.oauth.providers).length > 0;
  return [
    versionSetting(version),
    ...plugins(config.features),
    ...forwardingSettings(forwarding),
    secretKey(owui.session),
    {
      name: 'AIOHTTP_CLIENT_TIMEOUT_TOOL_SERVER',
      state: 'unseen',
      message: `seconds that a tool may take; unset means no limit before 0.11 and that of AIOHTTP_CLIENT_TIMEOUT (300) after; ${where}`,
    },
    ...signOnRules.map((rule) => signOnSetting(rule, signOn, hasSignOn)),
  ];
}

function versionSetting(version: string): Setting {
  const parts = version.split('.').map(Number);
  const older = oldest.findIndex((part, at) => (parts[at] ?? 0) !== part);
  const isOld = older >= 0 && (parts[older] ?? 0) < (oldest[older] ?? 0);
  if (!isOld) return { name: 'version', state: 'right', message: version };
  return {
    name: 'version',
    state: 'missing',
    message: `${version}; Toolgate needs ${oldest.join('.')} or newer`,
  };
}

/** Absent in versions that have no such switch. */
function plugins(features: Readonly<Record<string, unknown>>): Setting[] {
  const switches = { ENABLE_TOOLS: 'enable_tools', ENABLE_TOOL_SERVERS: 'enable_tool_servers' };
  return Object.entries(switches).flatMap(([name, key]): Setting[] =>
    features[key] === false ? [{ name, state: 'missing', message: `switched off; ${where}` }] : [],
  );
}

/** Said of ENABLE_FORWARD_USER_INFO_HEADERS and FORWARD_USER_INFO_HEADER_JWT_SECRET, by what Toolgate saw. */
const seen: Readonly<Record<NonNullable<Forwarding>, readonly [Setting['state'], string][]>> = {
  signed: [
    ['right', 'Open WebUI names the person behind each call'],
    ['right', 'the same on both sides: the signature was good'],
  ],
  plain: [
    ['right', 'Open WebUI names the person behind each call'],
    ['missing', `the name is not signed; set the same value here and in Toolgate, then start both again`],
  ],
  nobody: [
    [
      'missing',
      `Open WebUI does not say who calls, so nobody gets any tools; set it to True in its environment`,
    ],
    ['unseen', 'is seen once the setting above is on'],
  ],
  unverified: [
    ['right', 'Open WebUI names the person behind each call'],
    ['missing', 'the signature is not good here: Open WebUI and Toolgate need the same value'],
  ],
};

function forwardingSettings(forwarding: Forwarding): Setting[] {
  const names = ['ENABLE_FORWARD_USER_INFO_HEADERS', 'FORWARD_USER_INFO_HEADER_JWT_SECRET'];
  const unseen = [
    `must be True; ${where}`,
    `must be the same long random value in Open WebUI and Toolgate; ${where}`,
  ];
  return names.map((name, at) => {
    const [state, message] = forwarding === undefined ? [] : (seen[forwarding][at] ?? []);
    return { name, state: state ?? 'unseen', message: message ?? unseen[at] ?? '' };
  });
}

/** What Open WebUI signed sessions with when nobody had set a secret (before 0.10), and what examples use. */
const knownSecrets = ['t0p-s3cr3t', '', 'secret', 'changeme', 'your-secret-key'];

function secretKey(session: string | undefined): Setting {
  const name = 'WEBUI_SECRET_KEY';
  const [head, body, signature] = session?.split('.') ?? [];
  if (head === undefined || body === undefined || signature === undefined) {
    return {
      name,
      state: 'unseen',
      message: `cannot be told from an API key; must be long and random; ${where}`,
    };
  }
  const signed = (secret: string) =>
    createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url') === signature;
  if (!knownSecrets.some(signed))
    return { name, state: 'right', message: 'none of the values that everybody knows' };
  return {
    name,
    state: 'missing',
    message: `a value that everybody knows: anybody can sign in as anybody; ${where}`,
  };
}

interface SignOnRule {
  readonly name: string;
  readonly wanted: string;
  readonly why: string;
  readonly isRight: (value: unknown) => boolean;
}

const isOn = (value: unknown) => value === true;

/** By their names in Open WebUI's own page, which are those of its environment. */
const signOnRules: readonly SignOnRule[] = [
  { name: 'ENABLE_OAUTH_SIGNUP', wanted: 'true', why: 'people appear at their first sign-in', isRight: isOn },
  {
    name: 'ENABLE_OAUTH_GROUP_MANAGEMENT',
    wanted: 'true',
    why: 'groups follow the sign-in service',
    isRight: isOn,
  },
  {
    name: 'ENABLE_OAUTH_GROUP_CREATION',
    wanted: 'true',
    why: 'groups appear by themselves',
    isRight: isOn,
  },
  {
    name: 'OAUTH_GROUP_CLAIM',
    wanted: 'groups',
    why: 'the claim that Toolgate reads too',
    isRight: (value) => value === 'groups',
  },
  {
    name: 'ENABLE_OAUTH_ROLE_MANAGEMENT',
    wanted: 'true',
    why: 'administrators are the same on both sides',
    isRight: isOn,
  },
  {
    name: 'OAUTH_ADMIN_ROLES',
    wanted: 'MCP-Admin',
    why: "Toolgate's administrators are those of Open WebUI",
    isRight: (value) =>
      String(value)
        .split(/[,;]/)
        .some((role) => role.trim() === 'MCP-Admin'),
  },
];

function signOnSetting(
  rule: SignOnRule,
  settings: Readonly<Record<string, unknown>> | undefined,
  used: boolean,
): Setting {
  const { name, wanted, why } = rule;
  if (!used) return { name, state: 'unused', message: 'no single sign-on is set up' };
  if (settings === undefined)
    return { name, state: 'unseen', message: `must be ${wanted} (${why}); ${signOnPage}` };
  if (rule.isRight(settings[name])) return { name, state: 'right', message: why };
  return { name, state: 'missing', message: `must be ${wanted} (${why}); ${signOnPage}` };
}
