import type { OidcIssuer } from '../contract.ts';
import { entra } from './entra.ts';
import { generic } from './generic.ts';
import { keycloak } from './keycloak.ts';
import type { TokenShape } from './token-shape.ts';

export type { Authority, TokenShape } from './token-shape.ts';

/** A new kind of provider is one file and one line here. */
export const shapes: Readonly<Record<OidcIssuer['kind'], TokenShape>> = { entra, keycloak, generic };
