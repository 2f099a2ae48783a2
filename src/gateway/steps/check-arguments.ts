import { type Call, type Gate, requestOf } from '../call.ts';
import { argumentsOf, type Issue, notAnObject } from '../faces/openapi/arguments.ts';
import { type Model, readModel } from '../faces/openapi/schema.ts';
import type { ListItem } from '../lists/fetch-list.ts';
import { listedTool } from '../pins.ts';
import { invalidParams, noSuchTool } from '../refusals.ts';
import { isObject } from '../rpc/message.ts';
import { editObject, findMember, membersOf } from '../rpc/raw.ts';

/**
 * Makes arguments of the body of an HTTP route, by the schema of its tool: whoever posts JSON to a URL has not read
 * the tool's schema, and expects numbers in quotes and further keys to be minded there. A server that never told its
 * schemas gets the body as it came.
 */
export async function checkArguments(call: Call, gate: Gate): Promise<void> {
  if (call.message?.kind !== 'request' || call.httpBody === undefined || call.connects) return;
  const tool = await toolOf(call, gate);
  const model = tool === 'unknown' ? undefined : modelOf(tool);
  const text = model === undefined ? asItCame(call.httpBody) : fitting(call.httpBody, model);
  const request = requestOf(call);
  const withArguments = (raw: string | undefined) => editObject(raw ?? '{}', { arguments: text });
  if (call.rawParams !== undefined) call.rawParams = withArguments(call.rawParams);
  const params = { ...request.params, arguments: JSON.parse(text) as unknown };
  call.message = { ...request, params, rawParams: withArguments(request.rawParams) };
}

async function toolOf(call: Call, gate: Gate): Promise<ListItem | 'unknown'> {
  const [target] = call.targets;
  if (!target) return 'unknown';
  const known = gate.lists.peek(target, call.era, call.capabilities);
  await gate.lists.settle([known], gate.settings.listDeadlineMs);
  if (!known.lists.has('tools')) return 'unknown';
  const tool = listedTool(known, call.tool ?? '');
  if (!tool) throw noSuchTool(String(requestOf(call).params?.['name']));
  return tool;
}

// A memo of a pure function: it dies with the list that the tool stands in.
const models = new WeakMap<ListItem, Model>();

function modelOf(tool: ListItem): Model {
  const kept = models.get(tool);
  if (kept) return kept;
  const span = findMember(membersOf(tool.raw), 'inputSchema');
  const made = readModel(span ? tool.raw.slice(span.start, span.end) : '', `${tool.key}_form_model`);
  models.set(tool, made);
  return made;
}

function asItCame(body: string): string {
  const raw = jsonOf(body);
  if (!raw.startsWith('{')) throw misfits([{ ...notAnObject, loc: ['body'], input: raw }]);
  return raw;
}

/** A tool without parameters takes none, whatever is posted: so does mcpo. */
function fitting(body: string, model: Model): string {
  if (model.fields.length === 0 && !model.isOpen) return '{}';
  const read = argumentsOf(jsonOf(body), model);
  if (!read.ok) throw misfits(read.issues);
  return read.text;
}

/** The body as JSON text without white space around it; no body, and null, stand for no arguments. */
function jsonOf(body: string): string {
  const raw = body.trim();
  if (raw === '' || raw === 'null') return '{}';
  try {
    JSON.parse(raw);
    return raw;
  } catch (error) {
    const [, at] = /position (\d+)/.exec(String(error)) ?? [];
    const where = at === undefined ? raw.length : Number(at);
    const issue = { type: 'json_invalid', msg: 'JSON decode error', loc: ['body', where], input: '{}' };
    throw misfits([issue]);
  }
}

const longestInput = 2_000;

function misfits(issues: readonly Issue[]) {
  const detail = issues.map(({ type, loc, msg, input }) => ({
    ...{ type, loc, msg },
    // What was sent, as FastAPI repeats it; not where it is long.
    input: input.length > longestInput ? `${input.slice(0, 100)}…` : (JSON.parse(input) as unknown),
    ...(type === 'json_invalid' && { ctx: { error: 'Expecting value' } }),
  }));
  const [first] = issues;
  const place = first?.loc.slice(1).join('.') || 'the body';
  return invalidParams(`The arguments do not fit the tool: ${place}: ${first?.msg}.`, { detail });
}

/** The entries of a 422 answer in `data` of a refusal. */
export function detailOf(data: unknown): readonly unknown[] | undefined {
  return isObject(data) && Array.isArray(data['detail']) ? data['detail'] : undefined;
}
