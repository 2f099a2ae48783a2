/** What a file of another program holds, in the words of `mcp-servers.json`, and what of it could not be carried over. */
export interface Plan {
  readonly format: Format;
  readonly servers: readonly PlannedServer[];
  /** Grants by group and by user or `*@domain` pattern: ids of servers. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  readonly users: ReadonlyMap<string, readonly string[]>;
  readonly notes: readonly Note[];
}

export const formats = ['claude', 'vscode', 'cursor', 'mcpo', 'metamcp', 'tenants'] as const;
export type Format = (typeof formats)[number];

export interface PlannedServer {
  readonly id: string;
  /** Its name in the other file. */
  readonly from: string;
  /** One entry of `mcpServers`. Holds no secret: those stand in `keys`. */
  readonly entry: Readonly<Record<string, unknown>>;
  readonly keys: readonly FoundKey[];
}

/** A secret that stood in the file. */
export interface FoundKey {
  /** As in `${credential:NAME}`; `default` is the bare `${credential}`. */
  readonly name: string;
  readonly value: string;
}

/**
 * `lost`: has no counterpart here. `changed`: is there, spelled otherwise. `todo`: works only after somebody has done
 * something.
 */
export interface Note {
  readonly kind: 'lost' | 'changed' | 'todo';
  /** Name of the entry in the other file. */
  readonly about: string;
  readonly text: string;
}

/** Tells what became of one entry. */
export type Tell = (kind: Note['kind'], text: string) => void;
