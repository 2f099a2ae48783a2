import type { Mistake } from './mistakes.ts';

/** Replaces `${env:NAME}` by what `valueOf` gives for the name; `$${env:NAME}` stands for `${env:NAME}` itself. */
export function expandEnvironment(text: string, valueOf: (name: string) => string): string {
  return text.replace(/\$?\$\{env:([^}]*)\}/g, (whole, name: string) =>
    whole.startsWith('$$') ? whole.slice(1) : valueOf(name),
  );
}

/**
 * Replaces `${env:NAME}` in every string of a JSON value, never in keys. A variable that is absent or empty is a
 * mistake. `$${env:NAME}` stands for the text `${env:NAME}` itself; other `${…}` are left alone.
 */
export function expandVariables(
  value: unknown,
  env: Readonly<Record<string, string | undefined>>,
): { value: unknown; mistakes: Mistake[] } {
  const mistakes: Mistake[] = [];

  const expandText = (text: string, path: Mistake['path']): string =>
    expandEnvironment(text, (name) => {
      const found = Object.hasOwn(env, name) ? env[name] : undefined;
      if (found !== undefined && found !== '') return found;
      mistakes.push({
        path,
        message: `needs the environment variable ${JSON.stringify(name)}, which is not set`,
      });
      return `\${env:${name}}`;
    });

  const expand = (node: unknown, path: Mistake['path']): unknown => {
    if (typeof node === 'string') return expandText(node, path);
    if (Array.isArray(node)) return node.map((item, index) => expand(item, [...path, index]));
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, expand(item, [...path, key])]));
  };

  return { value: expand(value, []), mistakes };
}
