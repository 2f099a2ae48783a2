import MiniSearch, { type Query } from 'minisearch';
import type { CatalogEntry } from '../contract.ts';
import { meantBy, wordsOf } from './search-words.ts';

/** Ids of the entries that fit, best first. */
export type SearchEntries = (text: string) => string[];

const boost = { name: 6, id: 5, category: 2, description: 1.5, maker: 1 };

const few = 5;

/** Words after these are of no use to anybody who looks for a server. */
const mostWords = 12;

/** An index of the entries by what they are called and what they are good for. */
export function indexEntries(entries: readonly CatalogEntry[]): SearchEntries {
  const index = new MiniSearch({
    fields: Object.keys(boost),
    storeFields: [],
    tokenize: wordsOf,
    // The words are as they are compared.
    processTerm: (term) => term,
  });
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  index.addAll(
    entries.map(({ id, name, category, description, homepage = '' }) => ({
      ...{ id, name, category, description },
      maker: URL.parse(homepage)?.hostname ?? '',
    })),
  );
  const options = { boost, boostDocument: (id: unknown) => weightOf(byId.get(String(id))) };
  return (text) => {
    const words = wordsOf(text).slice(0, mostWords);
    const ask = (combineWith: 'AND' | 'OR') =>
      index.search({ combineWith, queries: words.map(queryOf) }, options).map(({ id }) => String(id));
    const all = ask('AND');
    // What has every word comes first; a word too many must not hide everything.
    return all.length >= few ? all : [...new Set([...all, ...ask('OR')])];
  };
}

/** A word as it is written counts most, then as the beginning of another one, then what it stands for. */
function queryOf(word: string): Query {
  const [own = word, ...others] = meantBy(word);
  const typed: Query = {
    queries: [own],
    prefix: own.length >= 2,
    fuzzy: mistypings(own),
    weights: { prefix: 0.5, fuzzy: 0.2 },
  };
  const meant = others.map((other) => ({ queries: [other], boostTerm: () => 0.2 }));
  return { combineWith: 'OR', queries: [typed, ...meant] };
}

/** How many letters of a word may be wrong. */
function mistypings(word: string): number | false {
  if (word.length < 5) return false;
  return word.length < 6 ? 1 : 2;
}

/** What many use stands before what few use, and what nobody should use comes last. */
function weightOf(entry: CatalogEntry | undefined): number {
  if (entry === undefined) return 1;
  const known = entry.tier === 'core' ? 1.3 : 1;
  const sure = entry.confidence === 'verified' ? 1 : 0.7;
  return known * sure * (entry.deprecated === undefined ? 1 : 0.5);
}
