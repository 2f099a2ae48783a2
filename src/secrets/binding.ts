/** What a sealed credential belongs to; it opens for nothing else. A null tenant means shared. */
export interface Binding {
  readonly tenant: string | null;
  readonly server: string;
  readonly name: string;
}
