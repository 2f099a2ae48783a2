import type { CatalogField } from '../contract.ts';
import { faultOf } from './field-values.ts';
import type { Form } from './forms.ts';

export type Values = Readonly<Record<string, string>>;

/** What is wrong with the values of a form, one sentence for each field; empty: nothing. No value is quoted. */
export function faultsOf(form: Form, values: Values, missing: 'refuse' | 'allow'): string[] {
  const { fields, oneOf } = form;
  const known = new Map(fields.map((field) => [field.name, field]));
  const wrong = Object.entries(values).flatMap(([name, value]) => {
    const field = known.get(name);
    if (field === undefined) return [`"${name.slice(0, 64)}" is no field of it`];
    const fault = faultOf(field, value, templateOf(form, field));
    return fault === undefined ? [] : [`${name} ${fault}`];
  });
  if (missing === 'allow') return wrong;
  const absent = fields.filter(({ name, required }) => required && !Object.hasOwn(values, name));
  const hasOne = oneOf.length === 0 || oneOf.some((name) => Object.hasOwn(values, name));
  return [
    ...wrong,
    ...absent.map(({ name, label }) => `${name} is missing (${label})`),
    ...(hasOne ? [] : [`one of ${oneOf.join(', ')} is missing`]),
  ];
}

/** The text that a field stands in, where that is an argument. */
function templateOf({ way }: Form, { name }: CatalogField): string {
  if (way.type !== 'stdio') return '';
  return way.args.find((arg) => arg.includes(`{${name}}`)) ?? '';
}

/** Names of the fields that the definition of the server has a place for. */
export function placesFor({ fields }: Form, values: Values): string[] {
  const filled = fields.filter(
    ({ name, goesTo }) => goesTo.kind !== 'account' && Object.hasOwn(values, name),
  );
  return filled.map(({ name }) => name);
}

/** Values by what becomes of them. */
export function sorted(form: Form, values: Values) {
  const given = form.fields.flatMap((field) => {
    const value = values[field.name];
    return Object.hasOwn(values, field.name) && value !== undefined ? [{ ...field.keptAs, value }] : [];
  });
  const of = (kind: CatalogField['keptAs']['kind']): Record<string, string> =>
    Object.fromEntries(given.filter((one) => one.kind === kind).map(({ name, value }) => [name, value]));
  return { credentials: of('credential'), variables: of('variable'), client: of('client') };
}
