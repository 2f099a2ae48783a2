import type { Target } from './upstreams/target.ts';

/** Tools whose definition is not the accepted one are held back: neither listed, nor found, nor callable. */
export interface Pins {
  /** Grows with each change of what is held back; lists that were kept are made anew then. */
  readonly version: number;
  /** `rawTool` is the tool as its server wrote it. */
  isHeld(target: Target, tool: string, rawTool: string): boolean;
}

export const nothingHeld: Pins = { version: 0, isHeld: () => false };
