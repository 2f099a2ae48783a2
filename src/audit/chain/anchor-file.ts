import { open, readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { type AnchorPoint, anchorsText, type Verification } from '../contract.ts';

/** The job that writes anchors, by whose name its progress is kept. */
export const anchorJobName = 'audit anchor';

/** How far all places are, and how far the file is, which may be ahead. */
export const anchorProgress = z
  .object({
    seq: z.number(),
    file: z.number().default(0),
    /** Which file it is, and how many bytes it has at least: nothing is ever taken out of it. */
    path: z.string().default(''),
    size: z.number().default(0),
    /** How many anchors it has. */
    anchors: z.number().default(0),
  })
  .catch({ seq: 0, file: 0, path: '', size: 0, anchors: 0 });
export type AnchorProgress = z.infer<typeof anchorProgress>;

/** Of a file that nothing is known of. */
export const unwritten = (path: string): AnchorProgress => ({ ...anchorProgress.parse(undefined), path });

/** As much as is there, of whoever wrote it before. */
export async function takenOver(at: AnchorProgress): Promise<AnchorProgress> {
  return { ...at, size: await sizeOf(at.path), anchors: differing(await readAnchors(at.path)) };
}

function differing(anchors: readonly AnchorPoint[]): number {
  return new Set(anchors.map(({ signature }) => signature)).size;
}

/** Puts a line at the end; answers how many bytes were added. */
export async function appendLine(file: string, line: string): Promise<number> {
  const handle = await open(file, 'a+', 0o600);
  try {
    // Part of a line may be there, of a process that was killed: it must not spoil this one.
    const { size } = await handle.stat();
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    const isTorn = size > 0 && buffer.toString() !== '\n';
    await handle.appendFile(`${isTorn ? '\n' : ''}${line}\n`);
    await handle.datasync();
    return (await handle.stat()).size - size;
  } finally {
    await handle.close();
  }
}

export async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    (error: NodeJS.ErrnoException) => {
      // No anchor was written yet, or the file is gone: whoever asks knows.
      if (error.code === 'ENOENT') return 0;
      throw error;
    },
  );
}

/** A line that is torn is none: the next one says more. `audit verify --anchors` names it. */
export async function readAnchors(file: string): Promise<AnchorPoint[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return anchorsText.parse(text).anchors;
}

/** What is missing of a file that was written before; null while nothing is. */
export async function missingOf(
  { path: file, size, anchors: count, file: seq }: AnchorProgress,
  anchors: readonly AnchorPoint[],
): Promise<Verification['problem']> {
  if (file === '' || size === 0) return null;
  const at = { kind: 'anchor_file', seq, record: null } as const;
  const found = await sizeOf(file);
  const what = found === 0 ? 'is gone or empty' : `has ${found} bytes`;
  if (found < size)
    return {
      ...at,
      message: `The file of anchors ${what}, and had ${size}: somebody took anchors out of it.`,
    };
  const there = differing(anchors);
  if (there < count)
    return {
      ...at,
      message: `The file of anchors has ${there} of them, and had ${count}: somebody replaced some.`,
    };
  if (anchors.some((anchor) => anchor.seq === seq)) return null;
  return {
    ...at,
    message: `The anchor of place ${seq}, which was written last, is not in the file of anchors.`,
  };
}
