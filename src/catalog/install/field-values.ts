import type { CatalogField } from '../contract.ts';

/** What is wrong with a value, to be read after the name of its field; undefined: nothing. Never quotes it. */
export function faultOf(field: CatalogField, value: string, template: string): string | undefined {
  if (value === '') return 'must not be empty';
  if (value.includes('\0') || !value.isWellFormed()) return 'must be plain text';
  if (/[\r\n]/.test(value) && !(field.secret && field.goesTo.kind === 'env')) return 'must be one line';
  if (!field.secret && (value.length > 1000 || value.includes('${')))
    return 'must have at most 1000 characters, and no "${"';
  return faultOfPlace(field, value, template) ?? faultOfFormat(field, value);
}

/** `template` is the argument that the field stands in. */
function faultOfPlace({ goesTo, name }: CatalogField, value: string, template: string): string | undefined {
  if (goesTo.kind === 'argument' && template.startsWith(`{${name}}`) && value.startsWith('-'))
    return 'must not begin with "-", which would make an option of it';
  if (goesTo.kind === 'header' && !/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    return 'holds a character that no header can carry';
  return undefined;
}

const hostForm = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

function faultOfFormat({ format }: CatalogField, value: string): string | undefined {
  switch (format) {
    case 'host':
      return hostForm.test(value) ? undefined : 'must be a host name, without https:// and without a path';
    case 'path':
      return isInside(value)
        ? undefined
        : 'must be a relative path without "..": it begins at the data directory of the server';
    case 'basic':
      return /^[^:]+:./.test(value) ? undefined : 'must be user:password';
    case 'text':
      return undefined;
  }
}

/** Wherever the process runs, this leads to a place below its directory. */
function isInside(path: string): boolean {
  if (/^[~/\\-]|^[A-Za-z]:|[\\:]/.test(path)) return false;
  return !path.split('/').includes('..');
}
