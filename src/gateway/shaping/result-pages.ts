import { randomBytes } from 'node:crypto';
import type { Bus } from '../../platform/bus/contract.ts';
import { NoAnswer } from '../../platform/bus/contract.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Sealer } from '../../platform/sealer.ts';
import { cutAt } from './cut-at.ts';

/** Whose result it is; only the same caller reads on, and only while the tool may still be called. */
export interface Reader {
  readonly principal: string;
  readonly tenant: string | null;
}

/** What a page's URI says, once opened. Nobody but a process of this installation can make one. */
export interface PageRef {
  readonly node: string;
  readonly key: string;
  readonly server: string;
  readonly tool: string;
  /** Page 1 is what the result itself showed. */
  readonly page: number;
}

export interface Page {
  readonly text: string;
  readonly page: number;
  readonly pages: number;
}

/** How the rest of a result can be read. */
export interface Kept {
  readonly pages: number;
  uri(page: number): string;
}

interface Entry extends Reader {
  readonly text: string;
  /** Where each page begins in `text`; the first one is page 2. */
  readonly starts: readonly number[];
  readonly bytes: number;
  readonly expiresAt: number;
}

const prefix = 'toolgate://results/';
const topic = 'result-page';
const askTimeoutMs = 5_000;
const sweepMs = 60_000;
/** A tiny limit must not make a million pages, in characters. */
const shortestPage = 1_000;

/** Bounds of what one process keeps. */
export interface PageLimits {
  readonly ttlMs: number;
  readonly bytesInAll: number;
  readonly bytesPerPrincipal: number;
}

const usualLimits: PageLimits = {
  ttlMs: 15 * 60_000,
  bytesInAll: 128 * 1024 * 1024,
  bytesPerPrincipal: 32 * 1024 * 1024,
};

/** Does the URI name a page of a result? Then no server is asked for it, whatever else it says. */
export function isPageUri(uri: unknown): uri is string {
  return typeof uri === 'string' && uri.startsWith(prefix);
}

/**
 * What was too long for one result, in the memory of the process that took it, for 15 minutes. When it is full the
 * oldest go first: a principal's own, then anybody's. Other processes ask for pages over the bus.
 */
export class ResultPages {
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #bytesOf = new Map<string, number>();
  readonly #bus: Bus;
  readonly #sealer: Sealer;
  readonly #clock: Clock;
  readonly #limits: PageLimits;
  readonly #timer: NodeJS.Timeout;
  readonly #stopAnswering: () => void;
  #bytes = 0;

  constructor(o: { bus: Bus; sealer: Sealer; clock: Clock; limits?: PageLimits }) {
    this.#bus = o.bus;
    this.#sealer = o.sealer;
    this.#clock = o.clock;
    this.#limits = o.limits ?? usualLimits;
    this.#timer = setInterval(() => this.#sweep(), sweepMs).unref();
    this.#stopAnswering = o.bus.answer(topic, (message) => {
      // Another process with the same master key sent what #ask sends.
      const { key, page, reader } = message as { key: string; page: number; reader: Reader };
      return this.#read(key, page, reader) ?? null;
    });
  }

  /** Keeps the rest of a result in pages of so many characters; undefined when it is too large to be kept. */
  keep(of: {
    reader: Reader;
    server: string;
    tool: string;
    text: string;
    pageChars: number;
  }): Kept | undefined {
    const { reader, server, tool, text, pageChars } = of;
    const bytes = text.length * 2;
    if (bytes > this.#limits.bytesPerPrincipal || bytes > this.#limits.bytesInAll) return undefined;
    this.#sweep();
    this.#makeRoom(bytes, reader.principal);
    const key = newKey();
    const starts = startsOf(text, pageChars);
    const expiresAt = this.#clock() + this.#limits.ttlMs;
    this.#entries.set(key, { ...reader, text, starts, bytes, expiresAt });
    this.#count(reader.principal, bytes);
    const sealed = this.#seal(key, server, tool);
    return { pages: starts.length + 1, uri: (page) => uriOf(sealed, page) };
  }

  /** Characters of the URI that `keep` gives page 2 of this tool's results: sealing hides everything but the length. */
  uriChars({ server, tool }: { server: string; tool: string }): number {
    return uriOf(this.#seal(newKey(), server, tool), 2).length;
  }

  /** What the URI says; undefined when it is not one that this installation gave out. */
  open(uri: string): PageRef | undefined {
    const match = /^([A-Za-z0-9_-]{1,2000})(?:\?page=(\d{1,6}))?$/.exec(uri.slice(prefix.length));
    const text = match?.[1] === undefined ? undefined : this.#sealer.open(match[1]);
    if (!match || text === undefined || !isPageUri(uri)) return undefined;
    const [node, key, server, tool] = JSON.parse(text) as [string, string, string, string]; // sealed by keep()
    return { node, key, server, tool, page: Number(match[2] ?? 2) };
  }

  /** The page, from here or from the process that has it; undefined when nobody has it for this reader. */
  async page({ node, key, page }: PageRef, reader: Reader): Promise<Page | undefined> {
    if (node === this.#bus.node) return this.#read(key, page, reader);
    try {
      const answer = await this.#bus.ask(node, topic, { key, page, reader }, askTimeoutMs);
      return (answer as Page | null) ?? undefined; // the answerer above gave it
    } catch (error) {
      // That process has ended, and what it kept with it.
      if (error instanceof NoAnswer) return undefined;
      throw error;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stopAnswering();
    this.#entries.clear();
    this.#bytesOf.clear();
    this.#bytes = 0;
  }

  #seal(key: string, server: string, tool: string): string {
    return this.#sealer.seal(JSON.stringify([this.#bus.node, key, server, tool]));
  }

  #read(key: string, page: number, reader: Reader): Page | undefined {
    const entry = this.#entries.get(key);
    if (!entry || entry.expiresAt <= this.#clock()) return undefined;
    if (entry.principal !== reader.principal || entry.tenant !== reader.tenant) return undefined;
    const start = entry.starts[page - 2];
    if (start === undefined) return undefined;
    const text = entry.text.slice(start, entry.starts[page - 1] ?? entry.text.length);
    return { text, page, pages: entry.starts.length + 1 };
  }

  #makeRoom(bytes: number, principal: string): void {
    const { bytesInAll, bytesPerPrincipal } = this.#limits;
    for (const [key, entry] of this.#entries) {
      if ((this.#bytesOf.get(principal) ?? 0) + bytes <= bytesPerPrincipal) break;
      if (entry.principal === principal) this.#drop(key, entry);
    }
    for (const [key, entry] of this.#entries) {
      if (this.#bytes + bytes <= bytesInAll) break;
      this.#drop(key, entry);
    }
  }

  #sweep(): void {
    const now = this.#clock();
    for (const [key, entry] of this.#entries) {
      // All live equally long, so the first one that is still good ends it.
      if (entry.expiresAt > now) return;
      this.#drop(key, entry);
    }
  }

  #drop(key: string, { principal, bytes }: Entry): void {
    this.#entries.delete(key);
    this.#count(principal, -bytes);
  }

  #count(principal: string, bytes: number): void {
    this.#bytes += bytes;
    const own = (this.#bytesOf.get(principal) ?? 0) + bytes;
    if (own > 0) this.#bytesOf.set(principal, own);
    else this.#bytesOf.delete(principal);
  }
}

function newKey(): string {
  return randomBytes(9).toString('base64url');
}

function uriOf(sealed: string, page: number): string {
  return `${prefix}${sealed}?page=${page}`;
}

function startsOf(text: string, pageChars: number): number[] {
  const starts: number[] = [];
  const size = Math.max(shortestPage, pageChars);
  for (let at = 0; at < text.length; at = cutAt(text, at + size)) starts.push(at);
  return starts;
}
