import type { GrantRefused } from './token-endpoint.ts';

// What Microsoft Entra ID says with a number, for people. The text beside it names tenants and correlation ids.
const entraWords: Readonly<Record<string, string>> = {
  '28000': 'the scopes in the server’s account settings are of more than one application',
  '50013': 'the token that you came with is not one for this gate: sign in again',
  '50076': 'your organisation wants another factor: sign in again with it',
  '50079': 'your organisation wants you to set up another factor first',
  '50105': 'you are not assigned to the application; ask whoever administers Microsoft Entra ID',
  '50158': 'your organisation wants another check when you sign in: sign in again',
  '53003': 'a conditional access policy of your organisation forbids it',
  '65001': 'nobody has consented to it yet; an administrator of Microsoft Entra ID has to',
  '70011': 'a scope in the server’s account settings does not exist',
  '500011': 'the application that the server’s account settings name does not exist in your directory',
  '500131': 'the token that you came with was not issued for this gate’s application',
  '650053': 'a scope in the server’s account settings does not exist',
  '700016': 'the gate’s client id is not known in your directory',
  '7000215': 'the gate’s client secret is wrong; an administrator has to store it again',
  '7000222': 'the gate’s client secret has expired; an administrator has to store a new one',
  '9010010': 'the resource and the scopes in the server’s account settings do not belong together',
};

const words: Readonly<Record<string, string>> = {
  access_denied: 'it was denied',
  consent_required: 'nobody has consented to it yet',
  interaction_required: 'you have to sign in again, with everything that your organisation asks for',
  invalid_client: 'the gate’s client id or secret is wrong; an administrator has to store it again',
  invalid_grant: 'the token that you came with is not accepted: sign in again',
  invalid_scope: 'a scope in the server’s account settings does not exist, or is not allowed',
  invalid_target: 'the audience or resource in the server’s account settings is not known there',
  unauthorized_client: 'the gate’s client may not do that there; an administrator has to allow it',
};

/** Why an exchange was refused, as a part of a sentence that ends in the code to search for. */
export function exchangeWords({ code, description }: GrantRefused): string {
  const number = /\bAADSTS(\d{4,8})\b/.exec(description ?? '')?.[1];
  const known = number === undefined ? undefined : entraWords[number];
  return `${known ?? words[code] ?? 'the token endpoint refused'} (${number === undefined ? code : `AADSTS${number}`})`;
}
