import { TextMistake } from './text-mistake.ts';

/** One record; `line` is the one that it begins on. */
export interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * RFC 4180: cells in quotes may hold separators, line breaks and `""`. Separated by commas, semicolons or tabs,
 * whichever the first line has most of: spreadsheets write another one in each country. Lines without anything are passed over.
 */
export function parseCsv(text: string): CsvRecord[] {
  const source = text.replace(/^\uFEFF/, '');
  const reader = new Reader(source, separatorOf(source));
  const records: CsvRecord[] = [];
  while (!reader.isDone) {
    const record = reader.record();
    if (record.cells.some((cell) => cell !== '')) records.push(record);
  }
  return records;
}

function separatorOf(text: string): string {
  const [first = ''] = text.replaceAll(/"[^"]*"/g, '').split(/[\r\n]/, 1);
  const count = (separator: string) => first.split(separator).length;
  return [',', ';', '\t'].reduce((best, other) => (count(other) > count(best) ? other : best));
}

class Reader {
  readonly #text: string;
  readonly #separator: string;
  #at = 0;
  #line = 1;

  constructor(text: string, separator: string) {
    this.#text = text;
    this.#separator = separator;
  }

  get isDone(): boolean {
    return this.#at >= this.#text.length;
  }

  record(): CsvRecord {
    const line = this.#line;
    const cells = [this.#cell()];
    while (this.#text[this.#at] === this.#separator) {
      this.#at += 1;
      cells.push(this.#cell());
    }
    const [lineBreak = ''] = /^\r?\n|^\r/.exec(this.#text.slice(this.#at, this.#at + 2)) ?? [];
    if (lineBreak === '' && !this.isDone)
      throw new TextMistake(
        this.#line,
        'has something behind a closing quote; write a quote inside a cell as ""',
      );
    this.#at += lineBreak.length;
    if (lineBreak !== '') this.#line += 1;
    return { line, cells };
  }

  #cell(): string {
    return this.#text[this.#at] === '"' ? this.#quoted() : this.#plain();
  }

  #plain(): string {
    const begin = this.#at;
    while (!this.isDone && !this.#isEnd(this.#text[this.#at] ?? '')) this.#at += 1;
    const cell = this.#text.slice(begin, this.#at);
    if (cell.includes('"'))
      throw new TextMistake(
        this.#line,
        'has a quote inside a cell; put the whole cell into quotes, and write "" for each quote in it',
      );
    return cell;
  }

  #isEnd(character: string): boolean {
    return character === this.#separator || character === '\n' || character === '\r';
  }

  #quoted(): string {
    const begin = this.#line;
    const parts: string[] = [];
    for (;;) {
      const end = this.#text.indexOf('"', this.#at + 1);
      if (end < 0) throw new TextMistake(begin, 'has a quote that nothing closes');
      const part = this.#text.slice(this.#at + 1, end);
      parts.push(part);
      this.#line += part.split('\n').length - 1;
      this.#at = end + 1;
      if (this.#text[this.#at] !== '"') return parts.join('"');
    }
  }
}
