import { Command } from 'commander';
import type { z } from 'zod';
import { api, type catalogDetails, type CatalogField, type catalogForm } from '../src/catalog/contract.ts';
import { connect } from './call.ts';
import { plain, type Terminal } from './terminal.ts';

type Details = z.infer<typeof catalogDetails>;

export function catalogShowCommand(terminal: Terminal): Command {
  return new Command('show')
    .description('what is known of one server: how it is reached, what it asks for, how to get access')
    .argument('<id>', 'id in the catalog')
    .action(async (id: string, _options: unknown, command: Command) => {
      const { call, json } = connect(command, terminal);
      const details = await call(api.getCatalogEntry, { params: { id } });
      terminal.write(json ? `${JSON.stringify(details, null, 2)}\n` : textOf(details));
    });
}

function textOf(details: Details): string {
  const { name, description, homepage, howTo, warnings, forms, installed, isPrivate } = details;
  const lines = [
    `${name}${isPrivate ? ' (of this installation)' : ''}: ${description}`,
    ...(homepage === null ? [] : [homepage]),
    ...section('To know', [...howTo, ...warnings]),
    ...forms.flatMap(formLines),
    ...section(
      'Installed as',
      installed.map((server) => `${server.id}${server.enabled ? '' : ' (disabled)'}`),
    ),
    '',
    `To install it: toolgate add ${details.id}`,
  ];
  return `${lines.map(plain).join('\n')}\n`;
}

function formLines(form: z.infer<typeof catalogForm>): string[] {
  const { transport, auth, reaches, note, fields, oneOf, warnings } = form;
  return section(`--transport ${transport} --auth ${auth}`, [
    reaches,
    ...(note === null ? [] : [note]),
    ...fields.map(fieldLine),
    ...(oneOf.length === 0 ? [] : [`one of ${oneOf.join(', ')} is needed`]),
    ...warnings,
  ]);
}

/** `  KEY (secret, optional): what it is, e.g. x` */
export function fieldLine({ name, help, secret, required, example }: CatalogField): string {
  const marks = [...(secret ? ['secret'] : []), ...(required ? [] : ['optional'])];
  const such = example === null ? '' : `, e.g. ${example}`;
  return `${name}${marks.length === 0 ? '' : ` (${marks.join(', ')})`}: ${help}${such}`;
}

function section(head: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${head}:`, ...lines.map((line) => `  ${line}`)];
}
