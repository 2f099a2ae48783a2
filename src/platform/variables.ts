import type { Mistake } from './mistakes.ts';

/** Replaces `${env:NAME}` by what `lookUp` gives for the name; `$${env:NAME}` stands for `${env:NAME}` itself. */
export function expandEnvironment(text: string, lookUp: (name: string) => string): string {
  return text.replace(/\$?\$\{env:([^}]*)\}/g, (whole, name: string) =>
    whole.startsWith('$$') ? whole.slice(1) : lookUp(name),
  );
}

/**
 * Replaces `${env:NAME}` in every string of a JSON value, never in keys. A variable that is absent or empty is a
 * mistake. `$${env:NAME}` stands for the text `${env:NAME}` itself; other `${…}` are left alone. What `isKept` is
 * looked at for the same mistakes, but stays as it is.
 */
export function expandVariables(
  value: unknown,
  env: Readonly<Record<string, string | undefined>>,
  isKept: (path: Mistake['path'], text: string) => boolean = () => false,
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
    if (typeof node === 'string') {
      const expanded = expandText(node, path);
      return isKept(path, node) ? node : expanded;
    }
    if (Array.isArray(node)) return node.map((item, index) => expand(item, [...path, index]));
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, expand(item, [...path, key])]));
  };

  return { value: expand(value, []), mistakes };
}
