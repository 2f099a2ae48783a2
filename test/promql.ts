// What a PromQL expression names: enough of the language for the dashboard and the rules that are shipped.

const words = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);

export interface Selector {
  readonly metric: string;
  /** Labels that it looks at. */
  readonly labels: readonly string[];
}

/** Every metric of an expression, with the labels that its selector matches. */
export function selectorsIn(expression: string): Selector[] {
  const text = expression
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  const found: Selector[] = [];
  for (const [, metric = '', matchers = ''] of text.matchAll(
    /(?<![\w$])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])(?:\{([^}]*)\})?/g,
  )) {
    if (words.has(metric.toLowerCase())) continue;
    found.push({ metric, labels: [...matchers.matchAll(/(\w+)\s*[=!]/g)].map(([, label = '']) => label) });
  }
  return found;
}

/** Labels that an expression groups by. */
export function groupingIn(expression: string): string[] {
  const lists = [...expression.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)];
  return lists.flatMap(([, list = '']) => list.split(',').map((label) => label.trim()));
}
