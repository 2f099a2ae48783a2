// Every error code that the sources can answer with or log, read from the sources themselves.
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'oxc-parser';

type Node = Readonly<Record<string, unknown>>;

/** Errors whose first argument is a code. */
const errorClasses: readonly unknown[] = ['AppError', 'Refusal', 'CredentialRefused'];

/** Codes that are put together: what stands in the gaps. */
const nouns = ['user', 'group', 'server', 'tenant'];
const gaps: Readonly<Record<string, readonly string[]>> = { '*_not_found': nouns, '*_exists': nouns };

/** Throws for a code that is put together in a way that nobody has told it of. */
export function errorCodes(root: string): Set<string> {
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => !/\.(test|contract)\.ts$/.test(file));
  const codes = new Set<string>();
  for (const file of files) {
    const source = readFileSync(path.join(root, file), 'utf8');
    for (const code of codesIn(file, source)) for (const one of expanded(code, root)) codes.add(one);
  }
  for (const code of tokenRefusals(root)) codes.add(code);
  return codes;
}

function expanded(code: string, root: string): readonly string[] {
  if (!code.includes('*')) return [code];
  const inGap =
    code === 'upstream_*' ? union(root, 'gateway/connectors/contract.ts', 'UpstreamFailure') : gaps[code];
  if (!inGap) throw new Error(`The error code ${code} is put together; say in test/error-codes.ts of what`);
  return inGap.map((word) => code.replace('*', word));
}

/** Members of a union of texts. */
function union(root: string, file: string, name: string): string[] {
  const source = readFileSync(path.join(root, 'src', file), 'utf8');
  const body = new RegExp(`type ${name} =([^;]+);`).exec(source)?.[1] ?? '';
  return [...body.matchAll(/'([a-z_]+)'/g)].map(([, word = '']) => word);
}

/** Token shapes say why they refuse by returning the reason. */
function tokenRefusals(root: string): string[] {
  const files = globSync('src/identity/providers/{entra,generic,keycloak}.ts', { cwd: root });
  const text = files.map((file) => readFileSync(path.join(root, file), 'utf8')).join('\n');
  return [...text.matchAll(/(?:return|[?:]) '([a-z]+_[a-z_]+)'/g)].map(([, reason = '']) => reason);
}

function codesIn(file: string, source: string): string[] {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`);
  const constants = new Map(
    [...source.matchAll(/^const (\w+) = '([a-z_]+)';$/gm)].map(([, name, text]) => [name, text]),
  );
  const found: string[] = [];
  visit(program, undefined, (node) => found.push(...texts(node, constants)));
  return found;
}

/** Calls back with what stands where a code belongs. */
function visit(node: unknown, parentClass: unknown, onCode: (node: unknown) => void): void {
  if (Array.isArray(node)) for (const one of node) visit(one, parentClass, onCode);
  else if (isNode(node)) {
    const inside = 'superClass' in node ? nameOf(node['superClass']) : parentClass;
    const at = codeArgument(node, inside);
    if (at !== undefined && Array.isArray(node['arguments'])) onCode(node['arguments'][at]);
    for (const child of Object.values(node)) visit(child, inside, onCode);
  }
}

/** Which argument of a call or a `new` is a code. */
function codeArgument({ type, callee }: Node, parentClass: unknown): number | undefined {
  if (type === 'NewExpression' && errorClasses.includes(nameOf(callee))) return 0;
  if (type !== 'CallExpression') return undefined;
  if (isNode(callee) && callee['type'] === 'Super' && parentClass === 'AppError') return 0;
  return nameOf(callee) === 'refuse' ? 2 : undefined;
}

/** A code as text; `*` for what is put in. What comes from elsewhere gives nothing: it is found there. */
function texts(node: unknown, constants: ReadonlyMap<string | undefined, string | undefined>): string[] {
  if (!isNode(node)) return [];
  if (node['type'] === 'ConditionalExpression')
    return [...texts(node['consequent'], constants), ...texts(node['alternate'], constants)];
  if (node['type'] === 'TemplateLiteral' && Array.isArray(node['quasis']))
    return [node['quasis'].map((part: { value: { cooked: string } }) => part.value.cooked).join('*')];
  const text = node['type'] === 'Literal' ? node['value'] : constants.get(nameOf(node));
  return typeof text === 'string' ? [text] : [];
}

function nameOf(node: unknown): string | undefined {
  return isNode(node) && typeof node['name'] === 'string' ? node['name'] : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
