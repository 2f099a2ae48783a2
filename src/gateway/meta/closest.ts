import { indexOf, type OwnTools } from './own-tools.ts';
import type { ToolIndexes } from './tool-indexes.ts';

const mostNames = 3;
const longestName = 128;

/** The caller's own tools whose names and purposes are nearest to a name that none of them has. */
export async function closestNames(indexes: ToolIndexes, own: OwnTools, name: string): Promise<string[]> {
  const index = await indexOf(indexes, own);
  return index.find(name.slice(0, longestName), mostNames).map((item) => item.name);
}
