/** An exact version, and what it is made of where the registry says so. */
export interface Found {
  readonly version: string;
  readonly digest: string | null;
}

export type AskUrl = (url: string, headers: Readonly<Record<string, string>>) => Promise<Response>;
/** The same below the address of one registry. */
export type Ask = AskUrl;
