import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { fileUnreadable, verifyExport } from '../audit/index.ts';
import { anchorsText, verificationText } from '../audit/contract.ts';

const asked = z.object({
  file: z.string(),
  anchors: z.string().optional(),
  keys: z.array(z.string()),
  json: z.boolean(),
});

/** `toolgate audit verify --export <file>`: for somebody who has the records alone. Exits with 1 when they were changed. */
export async function verifyExported(): Promise<void> {
  const { file, anchors: kept, keys, json } = asked.parse(JSON.parse(process.argv[3] ?? '{}'));
  const { anchors, unreadable } = anchorsText.parse(kept === undefined ? '' : await textOf(kept));
  const found = { ...(await verifyExport(file, { anchors, keys })), unreadable };
  if (!found.ok || unreadable.length > 0) process.exitCode = 1;
  if (json) return void process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  const { said, complaints } = verificationText.parse(found);
  // It may quote what is in the file, and escape sequences could rewrite what the terminal shows.
  for (const complaint of complaints) process.stderr.write(`${complaint.replace(/[\p{Cc}\p{Cf}]/gu, ' ')}\n`);
  process.stdout.write(said);
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw fileUnreadable(file, cause);
  });
}
