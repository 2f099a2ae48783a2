// Sealed credentials: set through the admin API, kept encrypted under the master key and bound to their tenant,
// server and name, opened only where a connector puts them into a request. Nothing here shows one again.
export { deriveKey, loadMasterKey, MasterKey } from './master-key.ts';
export { secretRoutes } from './routes.ts';
export { credentialNames, expandHeaders, expandText, expandUrl } from './template.ts';
export { createSecretBox, type SecretBox } from './secret-box.ts';
export type { ChangingToken, CredentialQuestion, FoundCredential } from './credential.ts';
export { createVault, type Vault } from './vault.ts';
