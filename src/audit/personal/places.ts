/** Where the tables of this schema hold personal data, and what an erasure does there; docs/audit.md lists the same. */
interface Place {
  readonly table: string;
  /** The column with the person's address. */
  readonly column: string;
  /**
   * `row`: the row is about the person, and goes with the account. `name`: the row is about something else, and a
   * pseudonym takes the name's place. `account`: the row goes with the account, and the database keeps its tokens until
   * they are taken back where they came from. `ending`: it is what is kept of those, and goes by itself.
   */
  readonly is: 'row' | 'name' | 'account' | 'ending';
  /** What never leaves, not even to the person: it opens something. */
  readonly secret?: readonly string[];
}

export const places: readonly Place[] = [
  { table: 'user_identities', column: 'user_email', is: 'row' },
  { table: 'memberships', column: 'user_email', is: 'row' },
  { table: 'user_grants', column: 'user_email', is: 'row' },
  { table: 'api_tokens', column: 'user_email', is: 'row', secret: ['hash'] },
  { table: 'user_credentials', column: 'user_email', is: 'row', secret: ['sealed'] },
  { table: 'user_accounts', column: 'user_email', is: 'account', secret: ['sealed'] },
  { table: 'account_endings', column: 'user_email', is: 'ending', secret: ['sealed'] },
  { table: 'oauth_attempts', column: 'user_email', is: 'row', secret: ['id', 'sealed'] },
  { table: 'browser_sessions', column: 'user_email', is: 'row', secret: ['id'] },
  { table: 'file_entries', column: 'id', is: 'row', secret: ['hash'] },
  // The last of the rows: the others would go with it, uncounted.
  { table: 'users', column: 'email', is: 'row' },
  { table: 'api_tokens', column: 'created_by', is: 'name' },
  { table: 'credentials', column: 'updated_by', is: 'name' },
  { table: 'group_credentials', column: 'updated_by', is: 'name' },
  { table: 'user_credentials', column: 'updated_by', is: 'name' },
  { table: 'oauth_clients', column: 'updated_by', is: 'name' },
  { table: 'tool_pins', column: 'decided_by', is: 'name' },
];
