/** What servers ask for, told by whoever knows their definitions. */
export interface ServerNeeds {
  readonly server: string;
  readonly displayName: string;
  readonly enabled: boolean;
  /** Whether any group or user may use it. */
  readonly granted: boolean;
  /** Names of credentials, and where the definition asks for each, such as `header Authorization`. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** Names that it uses where they are set, and does without. */
  readonly optional: readonly string[];
}

/** A name in an environment, and the key that its value would be. */
export interface EnvPlace {
  /** As in a `.env` file: `GITHUB_TOKEN`. */
  readonly env: string;
  readonly server: string;
  readonly name: string;
  /** What stands around the key where it is used; a value that has it around itself loses it. */
  readonly before: string;
  readonly after: string;
  /** What is to be done besides, or why it cannot be stored. */
  readonly note: string | null;
  /** False: the server is not there yet. */
  readonly exists: boolean;
}

/** What this feature has to be told, because it may not see who uses it. */
export interface Needs {
  /** Every server as the tenant reaches it; as people without a tenant do for null. */
  forTenant(tenant: string | null): readonly ServerNeeds[];
  /** Every name that a server asks for, whoever reaches it; undefined: there is no such server. */
  namesOf(server: string): readonly string[] | undefined;
  envPlaces(): readonly EnvPlace[];
}
