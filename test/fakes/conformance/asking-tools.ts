// A table: the tools that ask the client for something before they answer. Each returns what it still
// needs; towards a legacy client the SDK turns that into real server-to-client requests.
import { randomBytes } from 'node:crypto';
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  createRequestStateCodec,
  type InputRequests,
  type InputRequiredResult,
  inputRequired,
} from '@modelcontextprotocol/server';
import type { FixtureTool } from './fixture-tool.ts';

type Answers = Record<string, unknown>;

/** Seals `requestState`. One key for the whole process: modern requests share no server object. */
export const stateCodec = createRequestStateCodec<Record<string, unknown>>({ key: randomBytes(32) });

interface Question {
  readonly description: string;
  readonly inputSchema?: Record<string, unknown>;
  readonly ask: (args: Record<string, unknown>) => InputRequests;
  /** The final text, or undefined while an answer is missing or makes no sense. */
  readonly conclude: (answers: Answers) => string | undefined;
  /** Send a sealed `requestState` along and insist on getting it back. */
  readonly sealed?: true;
}

/** One elicitation form. `properties` are JSON Schema; `required` defaults to all of them. */
export function form(
  message: string,
  properties: Record<string, unknown>,
  required = Object.keys(properties),
) {
  // The SDK's type names each allowed property shape; the table below spells them out literally.
  const requestedSchema = { type: 'object', properties, required } as Parameters<
    typeof inputRequired.elicit
  >[0]['requestedSchema'];
  return inputRequired.elicit({ message, requestedSchema });
}

function completion(prompt: string, maxTokens: number) {
  return inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: prompt } }],
    maxTokens,
  });
}

function asking(question: Question): FixtureTool {
  const { description, inputSchema, ask, conclude, sealed } = question;
  return {
    description,
    ...(inputSchema && { inputSchema }),
    call: async (args, ctx) => {
      const answer = conclude(ctx.mcpReq.inputResponses ?? {});
      const settled = !sealed || ctx.mcpReq.requestState() !== undefined;
      if (answer !== undefined && settled) return { content: [{ type: 'text', text: answer }] };
      const inputRequests = ask(args);
      if (!sealed) return inputRequired({ inputRequests });
      return inputRequired({ inputRequests, requestState: await stateCodec.mint({ tool: description }) });
    },
  };
}

const str = { type: 'string' };
const nameForm = form('What is your name?', { name: str });
const confirmForm = form('Please confirm', { ok: { type: 'boolean' } });

function acceptedString(answers: Answers, key: string, field: string): string | undefined {
  const value = acceptedContent(answers, key)?.[field];
  return typeof value === 'string' ? value : undefined;
}

function completionText(answers: Answers, key: string): string | undefined {
  const answer = answers[key] as { content?: { text?: unknown } } | undefined;
  return typeof answer?.content?.text === 'string' ? answer.content.text : undefined;
}

function rootUris(answers: Answers, key: string): string[] | undefined {
  const answer = answers[key] as { roots?: { uri?: string }[] } | undefined;
  return Array.isArray(answer?.roots) ? answer.roots.map((root) => String(root.uri)) : undefined;
}

/** Reports any answer to the form, accepted or not. */
function reported(answers: Answers, prefix: string): string | undefined {
  const answer = answers.form as { action?: string; content?: unknown } | undefined;
  return answer && `${prefix}: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`;
}

function titled(word: string) {
  return ['First', 'Second', 'Third'].map((nth, at) => ({
    const: `value${at + 1}`,
    title: `${nth} ${word}`,
  }));
}

const threeOptions = ['option1', 'option2', 'option3'];

const questions: Record<string, Question> = {
  test_sampling: {
    description: 'Asks the client for a completion',
    inputSchema: { type: 'object', properties: { prompt: str }, required: ['prompt'] },
    ask: (args) => ({ reply: completion(String(args.prompt), 100) }),
    conclude: (answers) => {
      const reply = completionText(answers, 'reply');
      return reply === undefined ? undefined : `LLM response: ${reply}`;
    },
  },
  test_elicitation: {
    description: 'Asks the user',
    inputSchema: { type: 'object', properties: { message: str }, required: ['message'] },
    ask: (args) => ({ form: form(String(args.message), { username: str, email: str }) }),
    conclude: (answers) => reported(answers, 'User response'),
  },
  test_elicitation_sep1034_defaults: {
    description: 'Asks with a default for each primitive type',
    ask: () => ({
      form: form(
        'Please check these values',
        {
          name: { type: 'string', default: 'John Doe' },
          age: { type: 'integer', default: 30 },
          score: { type: 'number', default: 95.5 },
          status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
          verified: { type: 'boolean', default: true },
        },
        [],
      ),
    }),
    conclude: (answers) => reported(answers, 'Elicitation completed'),
  },
  test_elicitation_sep1330_enums: {
    description: 'Asks with each of the five kinds of choice',
    ask: () => ({
      form: form(
        'Please choose',
        {
          untitledSingle: { type: 'string', enum: threeOptions },
          titledSingle: { type: 'string', oneOf: titled('Option') },
          legacyEnum: {
            type: 'string',
            enum: ['opt1', 'opt2', 'opt3'],
            enumNames: ['Option One', 'Option Two', 'Option Three'],
          },
          untitledMulti: { type: 'array', items: { type: 'string', enum: threeOptions } },
          titledMulti: { type: 'array', items: { anyOf: titled('Choice') } },
        },
        [],
      ),
    }),
    conclude: (answers) => reported(answers, 'Elicitation completed'),
  },
  test_missing_capability: {
    description: 'Needs a client that can sample',
    ask: () => ({ reply: completion('Say pong', 16) }),
    conclude: (answers) => completionText(answers, 'reply'),
  },
  test_input_required_result_elicitation: {
    description: 'Asks for a name',
    ask: () => ({ user_name: nameForm }),
    conclude: (answers) => {
      const name = acceptedString(answers, 'user_name', 'name');
      return name === undefined ? undefined : `Hello, ${name}!`;
    },
  },
  test_input_required_result_sampling: {
    description: 'Asks for a completion in band',
    ask: () => ({ capital_question: completion('What is the capital of France?', 100) }),
    conclude: (answers) => completionText(answers, 'capital_question'),
  },
  test_input_required_result_list_roots: {
    description: 'Asks for the roots in band',
    ask: () => ({ client_roots: inputRequired.listRoots() }),
    conclude: (answers) => rootUris(answers, 'client_roots')?.join(' '),
  },
  test_input_required_result_request_state: {
    description: 'Asks, with state that must come back',
    sealed: true,
    ask: () => ({ confirm: confirmForm }),
    conclude: (answers) => acceptedContent(answers, 'confirm') && 'state-ok',
  },
  test_input_required_result_tampered_state: {
    description: 'Asks, and refuses state that was changed',
    sealed: true,
    ask: () => ({ confirm: confirmForm }),
    conclude: (answers) => acceptedContent(answers, 'confirm') && 'The state came back as it was.',
  },
  test_input_required_result_multiple_inputs: {
    description: 'Asks for a name, a completion and the roots at once',
    sealed: true,
    ask: () => ({
      user_name: nameForm,
      greeting: completion('Generate a greeting', 50),
      client_roots: inputRequired.listRoots(),
    }),
    conclude: (answers) => {
      const name = acceptedString(answers, 'user_name', 'name');
      const greeting = completionText(answers, 'greeting');
      const roots = rootUris(answers, 'client_roots');
      return name && greeting && roots && `${greeting} ${name} (${roots.length} roots)`;
    },
  },
};

const multiRound: FixtureTool = {
  description: 'Asks twice; the state tells the rounds apart',
  call: async (_args, ctx) => {
    const state = ctx.mcpReq.requestState<{ round?: number; name?: string }>();
    const answers = ctx.mcpReq.inputResponses ?? {};
    const name = acceptedString(answers, 'step1', 'name');
    const color = acceptedString(answers, 'step2', 'color');
    if (state?.round === 2 && color !== undefined) {
      return { content: [{ type: 'text', text: `${state.name} likes ${color}.` }] };
    }
    if (state?.round === 1 && name !== undefined) {
      return nextRound('step2', form('Step 2: What is your favorite color?', { color: str }), {
        round: 2,
        name,
      });
    }
    return nextRound('step1', form('Step 1: What is your name?', { name: str }), { round: 1 });
  },
};

async function nextRound(
  key: string,
  request: InputRequests[string],
  state: Record<string, unknown>,
): Promise<InputRequiredResult> {
  return inputRequired({ inputRequests: { [key]: request }, requestState: await stateCodec.mint(state) });
}

const onlyWhatIsDeclared: FixtureTool = {
  description: 'Asks only for what the client said it can do',
  call: (_args, ctx) => {
    if (ctx.mcpReq.inputResponses) return { content: [{ type: 'text', text: 'Answered.' }] };
    // The SDK has checked the envelope against the specification but types it as an empty object.
    const envelope = ctx.mcpReq.envelope as Record<string, ClientCapabilities | undefined> | undefined;
    const can = envelope?.[CLIENT_CAPABILITIES_META_KEY];
    const inputRequests: InputRequests = {
      ...(can?.elicitation && { user_name: nameForm }),
      ...(can?.sampling && { greeting: completion('Generate a greeting', 50) }),
      ...(can?.roots && { client_roots: inputRequired.listRoots() }),
    };
    if (Object.keys(inputRequests).length > 0) return inputRequired({ inputRequests });
    return { content: [{ type: 'text', text: 'The client can answer nothing.' }] };
  },
};

export const askingTools: Record<string, FixtureTool> = {
  ...Object.fromEntries(Object.entries(questions).map(([name, question]) => [name, asking(question)])),
  test_input_required_result_multi_round: multiRound,
  test_input_required_result_capabilities: onlyWhatIsDeclared,
};
