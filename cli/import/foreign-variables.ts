import type { Tell } from './plan.ts';

/** An input that VS Code asks for: `inputs` of its mcp.json. */
export interface AskedInput {
  readonly id: string;
  readonly isSecret: boolean;
  readonly standard: string | undefined;
}

export interface VariablesUsed {
  /** What `${variable:NAME}` stands for when no tenant says otherwise. */
  readonly defaults: Map<string, string>;
  readonly inputs: ReadonlyMap<string, AskedInput>;
  /** A key that is asked for: the placeholder to put there. */
  readonly askedKey: (name: string) => string;
  readonly tell: Tell;
}

const ownForms = /^(?:env|credential|variable)(?::|$)/;

/**
 * Rewrites the placeholders of other programs: `${NAME}` and `${NAME:-default}` of Claude Code and mcpo, `${input:id}`,
 * `${workspaceFolder}` and `${userHome}` of VS Code and Cursor.
 */
export function rewriteVariables(text: string, used: VariablesUsed): string {
  return text.replace(/\$\{([^}]*)\}/g, (whole, inner: string) => {
    if (ownForms.test(inner)) return whole;
    const [, input] = /^input:(.+)$/.exec(inner) ?? [];
    if (input !== undefined) return inputFor(input, used);
    if (/^workspaceFolder(?:Basename)?(?::.*)?$/.test(inner)) {
      used.tell(
        'lost',
        `${whole} means nothing to a gate; "." (the directory of the config file) stands there`,
      );
      return '.';
    }
    if (inner === 'userHome') return '${env:HOME}';
    if (inner === 'pathSeparator' || inner === '/') return '/';
    const [, name, standard] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/.exec(inner) ?? [];
    if (name === undefined) {
      used.tell('todo', `${whole} is not understood; write in what belongs there`);
      return `$${whole}`;
    }
    return standard === undefined || standard === '' ? `\${env:${name}}` : withDefault(name, standard, used);
  });
}

function withDefault(name: string, standard: string, { defaults, tell }: VariablesUsed): string {
  defaults.set(name, standard);
  tell(
    'changed',
    `\${${name}:-…} is the variable ${name} here, with the same default; a tenant may have a value of its own`,
  );
  return `\${variable:${name}}`;
}

function inputFor(id: string, { inputs, defaults, askedKey, tell }: VariablesUsed): string {
  const input = inputs.get(id);
  const name = id.replace(/[^A-Za-z0-9_.-]/g, '_').slice(0, 64);
  if (input === undefined || input.isSecret) return askedKey(name);
  if (input.standard === undefined)
    tell('todo', `asks for "${id}": set the variable ${name} of this server, or of a tenant`);
  else defaults.set(name, input.standard);
  return `\${variable:${name}}`;
}
