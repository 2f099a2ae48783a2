// People's accounts at servers without any authorization server: whether one is connected is up to the test.
import type { Accounts, AccountState, Exchanges, FoundCredential } from '../src/secrets/index.ts';
import { AppError } from '../src/platform/errors.ts';

type Place = Parameters<Accounts['disconnect']>[0];

interface StubAccount {
  readonly credential: FoundCredential;
  token: string;
  state: AccountState;
}

export interface StubAccounts extends Accounts {
  /** The account is there from now on, with this token; connected anew it is another version. */
  connect(place: Place, token?: string, scopes?: readonly string[]): void;
  /** The token of this moment; who asks after this gets it. */
  renew(place: Place, token: string): void;
  /** It has to be connected again. */
  expire(place: Place, problem?: string): void;
  /** What `begin` was asked for. */
  readonly begun: Parameters<Accounts['begin']>[0][];
  /** Tokens that servers refused. */
  readonly refused: string[];
  /** What `refused` answers: is there another token to try? */
  onRefused: (place: Place, token: string) => boolean;
  /** How `begin` and `finish` end, where not well. */
  failing: AppError | undefined;
}

export function stubAccounts(): StubAccounts {
  const known = new Map<string, StubAccount>();
  const listeners = new Set<() => void>();
  let version = 0;
  const tell = () => {
    for (const listener of listeners) listener();
  };
  const keyOf = ({ tenant, user, server }: Place) => `${tenant ?? ''} ${server} ${user}`;
  const at = (place: Place) => known.get(keyOf(place));

  function credentialAt(place: Place): FoundCredential {
    const own = () => {
      const found = at(place);
      if (found?.state.state === 'connected') return found.token;
      throw new AppError('account_reconnect', 409, 'The account has to be connected again: it is over.');
    };
    return {
      id: `account ${keyOf(place)}`,
      owner: 'user',
      ownerId: place.user,
      version: String(++version),
      open: () => {
        throw new Error('an account is not opened');
      },
      changing: {
        current: own,
        refused: (token) => {
          stub.refused.push(token);
          return Promise.resolve(stub.onRefused(place, token));
        },
      },
    };
  }

  const stub: StubAccounts = {
    begun: [],
    refused: [],
    onRefused: () => false,
    failing: undefined,
    redirectUri: 'http://127.0.0.1/gateway/connect/callback',
    issuerOf: () => Promise.resolve('https://as.example'),
    find: (question) => at(question)?.credential ?? null,
    stateOf: (question) => at(question)?.state ?? { state: 'none' },
    begin(o) {
      stub.begun.push(o);
      if (stub.failing) return Promise.reject(stub.failing);
      return Promise.resolve({ url: `https://as.example/authorize?state=${stub.begun.length}` });
    },
    finish: ({ user, query }) => {
      if (stub.failing) return Promise.reject(stub.failing);
      const begun = stub.begun[Number(query.get('state')) - 1];
      if (begun?.user !== user)
        return Promise.reject(new AppError('account_attempt_foreign', 403, 'Somebody else began this.'));
      const { tenant, server, returnTo } = begun;
      stub.connect({ tenant, user, server: server.id });
      return Promise.resolve({ tenant, server: server.id, returnTo });
    },
    disconnect(place) {
      const existed = known.delete(keyOf(place));
      tell();
      return Promise.resolve({ existed, revoked: 'yes' });
    },
    listFor: (user) =>
      [...known].flatMap(([key, { state }]) => {
        const [tenant = '', server = '', owner] = key.split(' ');
        if (owner !== user || state.state === 'none') return [];
        const problem = state.state === 'reconnect' ? state.problem : null;
        return {
          ...{ tenant: tenant === '' ? null : tenant, server, state: state.state, problem },
          ...{ issuer: 'https://as.example', scopes: [], connectedAt: new Date(0), refreshedAt: null },
        };
      }),
    clientMetadata: (path) => ({ client_id: `https://gate.example.com${path}` }),
    unsavedUnder: async () => 0,
    refresh: async () => undefined,
    staleSince: () => null,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => undefined,
    connect(place, token = `token of ${place.user}`, scopes = []) {
      const state: AccountState = { state: 'connected', scopes, connectedAt: new Date(version * 1000) };
      known.set(keyOf(place), { credential: credentialAt(place), token, state });
      tell();
    },
    renew(place, token) {
      const found = at(place);
      if (found) found.token = token;
    },
    expire(place, problem = 'Its access has ended.') {
      const found = at(place);
      if (found) found.state = { state: 'reconnect', problem };
      tell();
    },
  };
  return stub;
}

/** Exchanges whatever comes for a text that says so. */
export const stubExchanges: Exchanges = {
  find: ({ user, server, subjectToken }) => ({
    id: `exchange ${server} ${user}`,
    owner: 'user',
    ownerId: user,
    version: '1',
    open: () => {
      throw new Error('a token that is exchanged is not opened');
    },
    changing: {
      current: () => {
        if (subjectToken !== undefined) return `exchanged ${subjectToken}`;
        throw new AppError('token_exchange_needs_sign_in', 403, 'Sign in with an access token.');
      },
      refused: () => Promise.resolve(false),
    },
  }),
  close: async () => undefined,
};
