// Sealed credentials: set through the admin API, kept encrypted under the master key and bound to their tenant,
// server and name, opened only where a connector puts them into a request. Nothing here shows one again.
export { type KeyRing, loadKeyRing } from './master-keys/master-key-ring.ts';
export { wrappedNewKey } from './master-keys/master-key-wrap.ts';
export { openMasterKeys } from './rotation/open-master-keys.ts';
export { openRotation } from './rotation/open-rotation.ts';
export { masterKeyRoutes } from './rotation/routes.ts';
export { secretRoutes } from './keys/routes.ts';
export {
  credentialFault,
  credentialNames,
  expandArgument,
  expandHeaders,
  expandText,
  expandUrl,
} from './template.ts';
export type { ChangingToken, CredentialQuestion, FoundCredential } from './credential.ts';
export type { EnvPlace, Needs, ServerNeeds } from './needs.ts';
export type { Rung } from './vault/ladder.ts';
export { createVault, type Vault } from './vault/vault.ts';
export type {
  AccountQuestion,
  Accounts,
  AccountServer,
  AccountState,
  Exchanges,
  Finished,
} from './accounts/accounts.ts';
export {
  callbackPath,
  clientMetadataPath,
  ConnectFailed,
  issuerCallback,
  issuerMetadata,
} from './accounts/accounts.ts';
export { readChallenge } from './accounts/protocol/challenge.ts';
export { createAccounts } from './accounts/create-accounts.ts';
export { createExchanges } from './accounts/exchanges.ts';
export { accountRoutes } from './accounts/routes.ts';
export { sharedOwner, tenantOwner, userOwner } from './binding.ts';
export { removeKey, setKey } from './keys/change-key.ts';
export { type HandMadeClient, storeClient } from './accounts/clients/store-client.ts';
export { storeKey } from './keys/store-key.ts';
