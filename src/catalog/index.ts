// Servers that can be installed, and how one is made of an entry. The tools that each server says it has, and which of
// their definitions are accepted: pins are made on first sight, kept in memory for the data plane, and decided about
// through the admin API.
export { hasControlCharacters } from './characters.ts';
export { clashingEntries, createKnownEntries } from './entries/known-entries.ts';
export { flagsOf } from './flags.ts';
export { allowsFrom } from './install/allows-command.ts';
export { createOriginSeals } from './install/origin-seals.ts';
export type { Probed, ProbeServer } from './install/try-entry.ts';
export type { TryStep } from './contract.ts';
export { createRegistries } from './registries/registries.ts';
export { catalogRoutes } from './routes.ts';
export type { SeenTool } from './sights.ts';
export type { Place } from './store.ts';
export { createToolPins, type ToolPins } from './tool-pins.ts';
