// `npm run bench -- --tool-flood`: what three tools instead of a thousand save, and how often the right one is found.
// Numbers of tokens are exact; nothing here is timed.
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { metaTools } from '../src/gateway/meta/tools.ts';
import { describeTools } from '../src/gateway/meta/describe-tools.ts';
import { ToolIndexes } from '../src/gateway/meta/tool-indexes.ts';
import {
  answerTo,
  type Figures,
  figuresOf,
  items,
  namesFor,
  own,
  questions,
  servers,
} from '../test/tool-flood/evaluation.ts';

const indexes = new ToolIndexes();

/** What a model is sent of each tool, whatever its maker: name, description, schema. */
function asSent(tools: readonly { name: string; description?: string; inputSchema: object }[]): string {
  return JSON.stringify(
    tools.map(({ name, description, inputSchema }) => ({ name, description, input_schema: inputSchema })),
  );
}

const three = JSON.parse(`{${metaTools(servers, true)}}`).tools;
const all = countTokens(asSent(items.map(({ raw }) => JSON.parse(raw))));
const meta = countTokens(asSent(three));
const spent = await Promise.all(questions.map(({ question }) => tokensFor(question)));
const search = mean(spent.map((one) => one.search));
const describe = mean(spent.map((one) => one.describe));

const rows = [
  [`all ${items.length} tools`, all],
  ['the three tools', meta],
  ['one search, on average', search],
  ['one description, on average', describe],
  ['three tools, one search, one description', meta + search + describe],
] as const;
const held = await figuresOf(questions.filter(({ heldOut }) => heldOut));
const tuned = await figuresOf(questions.filter(({ heldOut }) => !heldOut));
process.stdout.write(
  [
    '| what a model reads | tokens | of all |',
    '| --- | --- | --- |',
    ...rows.map(
      ([what, tokens]) =>
        `| ${what} | ${Math.round(tokens).toLocaleString('en')} | ${percent(tokens / all)} |`,
    ),
    '',
    '| questions | number | right tool first | among the first five | MRR |',
    '| --- | --- | --- | --- | --- |',
    line('chosen with', tuned),
    line('held out', held),
    '',
  ].join('\n'),
);

async function tokensFor(question: string): Promise<{ search: number; describe: number }> {
  const [best = ''] = await namesFor(question, 1);
  const { text } = await describeTools(indexes, own, { names: [best] });
  return { search: countTokens(await answerTo(question)), describe: countTokens(text) };
}

function line(what: string, { questions: number, first, firstFive, meanReciprocalRank }: Figures): string {
  const share = (count: number) => `${count} (${percent(count / number)})`;
  return `| ${what} | ${number} | ${share(first)} | ${share(firstFive)} | ${meanReciprocalRank.toFixed(2)} |`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
