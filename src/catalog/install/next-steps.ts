import type { ServerView } from '../../access/index.ts';
import type { InstallInput } from '../contract.ts';
import type { Form } from './forms.ts';

interface Done {
  readonly form: Form;
  readonly input: InstallInput;
  readonly server: ServerView;
  readonly created: boolean;
  /** Fields of the server that nobody filled in this time. */
  readonly open: readonly string[];
  /** Where authorization servers send people back to. */
  readonly redirectUri: string;
}

/** What is left to do after installing, one sentence each. */
export function nextSteps(done: Done): string[] {
  return [...accounts(done), ...values(done), ...access(done), ...version(done)];
}

function accounts({ form, input, server: { id }, redirectUri }: Done): string[] {
  if (form.auth !== 'oauth' || form.way.type === 'stdio') return [];
  const place =
    input.for === 'shared' ? `/oauth-clients/${id}` : `/tenants/${input.for.tenant}/oauth-clients/${id}`;
  const { dcr, gated } = form.entry.auth.oauth ?? {};
  const isByHand = dcr === false || gated === true;
  return [
    'Each user connects an account of their own, the first time that they use it.',
    ...(isByHand ? [`Enter ${redirectUri} at the vendor as the address that sign-ins come back to.`] : []),
    ...(dcr === true && !gated
      ? []
      : [
          `Where a sign-in fails because the vendor does not know the gate, register a client there and store it: PUT ${place}.`,
        ]),
  ];
}

function values({ input, server: { id }, created, open, form }: Done): string[] {
  if (created && input.for === 'shared') return [];
  if (created && form.fields.length > 0 && input.for !== 'shared')
    return [
      `Only the tenant ${input.for.tenant} has values for it: install ${form.entry.id} with "as" ${id} for others.`,
    ];
  if (open.length === 0) return [];
  return [`Where everybody has no value for them, these are still missing: ${open.join(', ')}.`];
}

function access({ input, created, server: { id, enabled } }: Done): string[] {
  return [
    ...(enabled ? [] : [`It is disabled, so nobody sees it: PATCH /servers/${id} with "enabled": true.`]),
    // One that was there may have been granted long ago.
    ...(input.groups.length > 0 || !created
      ? []
      : [
          `Only administrators may use it until a group gets it: toolgate grant ${id} <group>, or PUT /groups/{name}/servers/${id}.`,
        ]),
  ];
}

function version({ created, input, server: { origin } }: Done): string[] {
  if (origin === null || !(created || input.replace)) return [];
  const what = `${origin.package} ${origin.version}`;
  if (origin.pinned === 'at-install')
    return [
      `${what} is pinned at install: it was the newest version, and nobody has tried it with this entry.`,
    ];
  if (origin.pinned === 'not-pinned')
    return [`${origin.package} is whatever version is installed where stdio servers run.`];
  const isTagAlone =
    input.transport.startsWith('docker') && origin.package !== null && origin.digest === null;
  return isTagAlone && !origin.version?.startsWith('sha256:')
    ? [
        `${what} is pinned by its tag, which can move; install it with "replace" once its registry can be asked.`,
      ]
    : [];
}
