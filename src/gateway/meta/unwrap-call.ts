import { invalidParams } from '../refusals.ts';
import { isObject, type RpcRequest } from '../rpc/message.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';

/**
 * The call that `call_tool` stands for: same id, same `_meta` and everything else beside them, the tool's own name and
 * arguments, the latter byte for byte. What comes after it cannot tell it from one that was sent so.
 */
export function unwrapCall(request: RpcRequest): RpcRequest {
  const { params = {}, rawParams = '{}' } = request;
  const outer = params['arguments'];
  if (!isObject(outer)) throw invalidParams('call_tool needs "name" and "arguments".');
  const { name } = outer;
  if (typeof name !== 'string' || name === '')
    throw invalidParams('"name" must be the name of a tool, exactly as search_tools returned it.');
  const span = findMember(membersOf(rawParams), 'arguments');
  const rawOuter = span ? rawParams.slice(span.start, span.end) : '{}';
  const rawArguments = argumentsIn(outer, rawOuter);
  const { arguments: _outer, ...rest } = params;
  return {
    ...request,
    params: {
      ...rest,
      name,
      ...(rawArguments !== null && { arguments: JSON.parse(rawArguments) as unknown }),
    },
    rawParams: editObject(rawParams, { name: JSON.stringify(name), arguments: rawArguments }),
  };
}

/** JSON text of the arguments; null: none were given, and none are made up. */
function argumentsIn(outer: Readonly<Record<string, unknown>>, rawOuter: string): string | null {
  const given = outer['arguments'];
  if (given === undefined || given === null) {
    const [stray] = Object.keys(outer).filter((key) => key !== 'name' && key !== 'arguments');
    if (stray === undefined) return null;
    throw invalidParams(
      `Put "${stray.slice(0, 100)}" and the tool's other arguments into "arguments": {"name": …, "arguments": {…}}.`,
    );
  }
  if (isObject(given)) {
    const span = findMember(membersOf(rawOuter), 'arguments');
    return span ? rawOuter.slice(span.start, span.end) : null;
  }
  const text = typeof given === 'string' ? objectText(given) : undefined;
  if (text === undefined)
    throw invalidParams('"arguments" must be an object with the arguments of the tool.');
  return text;
}

/** Models also write the object as a string. */
function objectText(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text);
    return isObject(value) ? text.trim() || '{}' : undefined;
  } catch {
    return undefined;
  }
}
