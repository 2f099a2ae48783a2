// A table of every word on the pages of this feature, and of what models and people read about accounts in a chat.

export const texts = {
  /** What a client shows before it opens the link. */
  ask: (server: string, problem: string | undefined) =>
    problem === undefined
      ? `Connect your account at ${server}, so that its tools can work for you.`
      : `Connect your account at ${server} again. ${problem}`,
  needed: (server: string, link: string, problem: string | undefined) =>
    problem === undefined
      ? `Your account at ${server} is not connected yet. Open this link in your browser to connect it, then try again: ${link}`
      : `Your account at ${server} has to be connected again: ${problem} Open this link in your browser, then try again: ${link}`,
  declined: (server: string, link: string) =>
    `Connecting your account at ${server} was declined. To use its tools, open this link in your browser, then try again: ${link}`,
  personNeeded: (server: string) =>
    `The server "${server}" works with the accounts of people, and you are a program; ask an administrator to set a key for you or your tenant.`,
  /** What a server wants, as a problem of the account. */
  further: (scopes: readonly string[]) => `It asks for further permissions: ${scopes.join(', ')}.`,
  secretAddress: (server: string) =>
    `The server "${server}" works with the accounts of people, but its address holds a key or a value of the gate’s environment, which the service where people sign in would be told: an administrator has to write the address without it, and put the secret into a header.`,
  accounts: {
    title: 'Your accounts',
    lead: 'Connect the services that your tools work with. What is connected here works for you alone.',
    nothing: 'None of your tools asks for an account or a key of yours.',
    tenants: 'Working for',
    leftover: 'You may not use this server any more, but your account there is still connected.',
    states: { connected: 'connected', reconnect: 'connect again', none: 'not connected' },
    connect: (server: string) => `Connect ${server}`,
    reconnect: (server: string) => `Connect ${server} again`,
    disconnect: 'Disconnect',
    since: 'Connected on',
    keys: 'Key',
    keyNamed: (name: string) => `Key “${name}”`,
    whose: {
      user: 'your own key',
      group: 'key of your group',
      tenant: 'key of your organisation',
      shared: 'key for everybody',
      none: 'no key',
    },
    addKey: 'Add your key',
    replaceKey: 'Replace your key',
    keyLabel: 'Your key',
    keyHint: 'It is stored sealed, used for your calls alone, and never shown again.',
    keyUnfit: 'A key has 1 to 20,000 characters; paste it whole.',
    saveKey: 'Save',
    removeKey: 'Remove your key',
    done: {
      disconnected: 'The account is disconnected.',
      'disconnected-here':
        'The account is disconnected here. The service could not be told; take the access back there as well.',
      'key-saved': 'Your key is saved.',
      'key-removed': 'Your key is removed.',
    } as Readonly<Record<string, string>>,
  },
  connect: {
    notOurs: {
      title: 'This link does not work',
      text: 'It was changed on its way, or made somewhere else. Ask for a new one in your chat.',
    },
    isOver: {
      title: 'This link is too old',
      text: 'Links are good for half an hour. Connect the account from here instead, or ask for a new link in your chat.',
    },
    notYours: {
      title: 'This link is for somebody else',
      text: (user: string) =>
        `You are signed in as ${user}, and the link was made for another person. Nothing was connected.`,
      as: 'Sign in as somebody else',
    },
    gone: {
      title: 'There is nothing to connect',
      text: 'This server is not one of yours (any more), or has no accounts of people.',
    },
    further: {
      title: (server: string) => `${server} asks for further permissions`,
      text: (scopes: readonly string[]) =>
        `To do what was asked, your tools need more than you allowed so far: ${scopes.join(', ')}. The service asks you about it on the next page. If you did not ask for anything that needs this, close this page.`,
      go: 'Go on',
    },
    done: (server: string) => `${server} is connected`,
    back: 'You can close this page and go back to your chat.',
    failed: (server: string) => `${server} could not be connected`,
    failedSomewhere: 'The account could not be connected',
    again: 'Try again',
    toAccounts: 'Your accounts',
  },
  tool: {
    title: (server: string) => `Connect your account at ${server}`,
    description: (server: string) =>
      `The user's account at ${server} is not connected (any more), so its tools are not there yet. Call this tool when the user wants something of ${server}: it gives a link that the user opens in a browser to sign in there. Show the link to the user as it is. Afterwards the tools of ${server} appear. It takes no arguments.`,
    link: (server: string, link: string, problem: string | undefined) =>
      problem === undefined
        ? `Ask the user to open this link in their browser to connect their account at ${server}; it is for them alone and good for 30 minutes: ${link}`
        : `The user's account at ${server} has to be connected again: ${problem} Ask the user to open this link in their browser; it is for them alone and good for 30 minutes: ${link}`,
    connected: (server: string) => `The user's account at ${server} is connected; its tools can be used.`,
  },
} as const;
