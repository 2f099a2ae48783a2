import { expect, test } from 'vitest';
import { shippedEntries } from '../entries/shipped.ts';
import { formOf } from './forms.ts';
import { formWarnings, howTo, warningsOf } from './warnings.ts';

const entries = new Map(shippedEntries().map((entry) => [entry.id, entry]));

function told(id: string, transport: string, auth?: string): string {
  const entry = entries.get(id);
  const form = entry && formOf(entry, transport, auth);
  if (!entry || !form) throw new Error(`there is no ${id} ${transport}`);
  return [...warningsOf(entry), ...formWarnings(form), ...howTo(entry)].join(' ');
}

test.each<[string, string, string, string | undefined, RegExp]>([
  ['of an archived server', 'puppeteer', 'npx', undefined, /Archived/],
  ['of an unverified one', 'zendesk', 'npx', undefined, /never verified/],
  ['of how one signs in when nobody states it', 'todoist', 'http', undefined, /inferred/],
  ['of a server that its community keeps', 'mysql', 'uvx', undefined, /community/],
  ['of a greeting that proves nothing', 'browserbase', 'docker', undefined, /only a tool call/],
  ['of a vendor that registers nobody', 'slack', 'http', 'oauth', /register one by hand/],
  ['of a vendor with a list', 'vercel', 'http', 'oauth', /admitted/],
  ['of a vendor of whom nobody knows', 'axiom', 'http', 'oauth', /not known/],
  ['of the only transport being the older one', 'plaid', 'sse', undefined, /no other one/],
  ['of a better transport', 'paypal', 'sse', undefined, /use the other way/],
  ['of Docker', 'kagi', 'docker', undefined, /needs Docker/],
  ['of uv', 'fetch', 'uvx', undefined, /needs uv/],
  ['of a program of the machine', 'semgrep', 'binary', undefined, /nobody pins/],
  ['of a version that nobody verified', 'fetch', 'uvx', undefined, /newest one is pinned/],
  ['of files that a container does not see', 'aws-cloudwatch', 'docker', undefined, /sees no files/],
  ['of its own directory', 'filesystem', 'npx', undefined, /own data directory/],
  ['of a browser', 'chrome-devtools', 'npx', undefined, /needs a browser/],
  ['of one account for everybody', 'gcloud', 'npx', undefined, /that one account/],
  ['of any address', 'markitdown', 'uvx', undefined, /any address/],
  ['of a desk', 'obsidian', 'docker', undefined, /machine of one person/],
  ['of a key that is an argument', 'redis', 'uvx', undefined, /argument of its process/],
  ['of a container that listens', 'crowdstrike-falcon', 'docker', undefined, /run the container/],
  ['of where more is', 'github', 'http', 'bearer', /More is at https:\/\/github.com/],
])('people are told %s', (_, ...[id, transport, auth, words]) => {
  expect(told(id, transport, auth)).toMatch(words);
});

test('a public server that its vendor keeps comes without warnings', () => {
  const entry = entries.get('aws-knowledge');
  const form = entry && formOf(entry, 'http');
  expect(entry && form && [...warningsOf(entry), ...formWarnings(form)]).toEqual([]);
});

test('an entry of the operator’s own is not told to be a stranger’s', () => {
  const entry = entries.get('mysql');
  expect(entry && warningsOf({ ...entry, isPrivate: true }).join(' ')).not.toContain('community');
});
