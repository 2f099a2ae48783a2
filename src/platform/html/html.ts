/** Markup that may stand in a page as it is. Only `html` makes one, so whatever came from elsewhere was escaped. */
export class Markup {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** For `html` below, which is the one that may be used. */
  static of(parts: readonly string[], values: readonly Insert[]): Markup {
    return new Markup(
      parts.map((part, at) => part + (at < values.length ? textOf(values[at]) : '')).join(''),
    );
  }

  toString(): string {
    return this.#text;
  }
}

/** What can stand in a template: texts are escaped, lists are put one after the other, nothing is nothing. */
export type Insert = string | number | Markup | readonly Insert[] | false | null | undefined;

/**
 * A piece of a page. Every value is escaped for text and for attributes in quotes, and attributes are always written in
 * quotes. Values never begin a URL: addresses in pages are paths of this program.
 */
export function html(parts: TemplateStringsArray, ...values: readonly Insert[]): Markup {
  return Markup.of(parts, values);
}

function textOf(value: Insert): string {
  if (value === undefined || value === null || value === false) return '';
  if (value instanceof Markup) return value.toString();
  if (typeof value === 'object') return value.map(textOf).join('');
  return String(value).replaceAll(/[&<>"'`]/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
