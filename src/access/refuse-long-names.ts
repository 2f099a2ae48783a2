import type { ToolOverrides } from './contract.ts';
import { toolNameTooLong } from './errors.ts';
import { tooLongNames } from './tool-texts.ts';

/** Throws when a tool would get a name that does not fit beside its server's id. `overrides` by server. */
export function refuseLongNames(overrides: Readonly<Record<string, ToolOverrides>>): void {
  for (const [server, ofServer] of Object.entries(overrides)) {
    const [first] = tooLongNames(server, ofServer);
    if (first !== undefined) throw toolNameTooLong(server, first.name, first.room);
  }
}
