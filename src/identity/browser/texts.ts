// A table of every word on the pages of this feature.

export const texts = {
  title: 'Sign in',
  lead: 'Sign in with your work account to go on.',
  with: (service: string) => `Sign in with ${service}`,
  asSomeoneElse: 'Choose the account that you want to go on as.',
  openWebUi: (user: string) => `Continue as ${user}`,
  openWebUiHint: 'You are signed in to Open WebUI with this account.',
  useToken: 'Use an API token instead',
  tokenLabel: 'API token',
  tokenHint: 'The token of a person; it begins with tg_.',
  tokenButton: 'Use this token',
  tokenRefused:
    'This token cannot be used here. It must be the whole API token of a person, and still be in force.',
  noWay: 'Nobody has set up a way to sign in with a browser; an API token works all the same.',
  signedOut: 'You are signed out.',
  notBegun: 'This sign-in did not begin in this browser, or took too long; sign in again.',
  openWebUiRefused: 'Your session of Open WebUI has ended; sign in there again, or in another way here.',
  refused: {
    no_email: 'The sign-in service did not say your e-mail address; ask an administrator.',
    identity_conflict:
      'Your e-mail address belongs to another account of the same sign-in service; ask an administrator to unlink the old one.',
    user_disabled: 'Your account is disabled here; ask an administrator.',
    program: 'You signed in as a program; a person is needed here.',
    other: 'You could not be signed in; ask an administrator.',
  } as Readonly<Record<string, string>>,
  signOut: 'Sign out',
  sessions: {
    title: 'Where you are signed in',
    named: (browser: string, system: string | undefined) =>
      system === undefined ? browser : `${browser} on ${system}`,
    since: 'Signed in',
    seen: 'Last seen',
    thisOne: 'this one',
    unknown: 'A browser',
    end: 'Sign out',
    endAll: 'Sign out everywhere',
    back: 'Your accounts',
  },
} as const;
