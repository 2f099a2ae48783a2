import * as sessions from '../../src/identity/browser/session-store.ts';
import * as provisioning from '../../src/identity/provisioning-store.ts';
import * as tokens from '../../src/identity/tokens-store.ts';
import { type Entry, operator } from './entry.ts';
import type { Target } from './world.ts';

const tokenFor = (it: Target) => ({
  ...{ user: it.user, service: null, name: 'taken', tenant: it.tenant },
  ...{ expiresAt: null, mayForwardUsers: null },
});
const sighting = (it: Target): provisioning.Sighting => ({
  ...{ id: it.user, source: 'oidc:corp', displayName: 'taken', groups: [it.group], issuedAt: 0 },
  identity: { issuer: 'https://idp.example.com', subject: it.canary },
});

export const identityStores: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  'src/identity/tokens-store.ts': {
    loadTokens: operator((db) => tokens.loadTokens(db)),
    insertToken: operator((db, it) => tokens.insertToken(db, tokenFor(it) as never, 'root')),
    revokeToken: operator((db, it) => tokens.revokeToken(db, it.id)),
    listTokens: operator((db, it) => tokens.listTokens(db, { limit: 100, user: it.user })),
    saveLastUsed: operator((db, it) => tokens.saveLastUsed(db, new Map([[it.id, Date.now()]]))),
  },
  'src/identity/provisioning-store.ts': {
    saveSighting: operator((db, it) => provisioning.saveSighting(db, sighting(it), Date.now())),
    saveConflict: operator((db, it) =>
      provisioning.saveConflict(db, { issuer: 'https://idp.example.com', subject: it.canary }, it.user),
    ),
  },
  'src/identity/browser/session-store.ts': {
    insertSession: operator((db, it) =>
      sessions.insertSession(db, {
        ...{ id: 'taken', user: it.user, how: 'api-token', tokenId: null, tokenTenant: it.tenant },
        ...{
          statedGroups: null,
          userAgent: null,
          createdAt: new Date(),
          expiresAt: new Date(Date.now() + 60_000),
        },
      }),
    ),
    seeSession: operator((db, it) => sessions.seeSession(db, it.text, new Date())),
    sessionsOf: operator((db, it) => sessions.sessionsOf(db, it.user, new Date())),
    deleteSessions: operator((db, it) => sessions.deleteSessions(db, { user: it.user, actor: 'root' })),
  },
};
