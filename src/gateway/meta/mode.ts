/** How a caller sees the tools: each of them, or three that find and call the others; `auto`: as the settings say. */
export type ToolMode = 'all' | 'meta' | 'auto';

/** When callers whose URL says nothing see three tools instead of all. */
export interface MetaSettings {
  /** `META_TOOLS_MODE`: always. */
  readonly always: boolean;
  /** Who would see more tools than this sees three; null: nobody for that reason. */
  readonly above: number | null;
  /** Clients that see every tool all the same: beginnings of names, lower case. */
  readonly exceptClients: readonly string[];
}

/** What the query of an MCP URL says; anything but `all` and `meta` says nothing. */
export function modeIn(url: string): ToolMode {
  if (!url.includes('mode=')) return 'auto';
  const mode = new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('mode');
  return mode === 'all' || mode === 'meta' ? mode : 'auto';
}
