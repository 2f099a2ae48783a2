// Sockets that are open, and whose they are. Open WebUI lets everybody open one, and is told later who it is; so it is here.
import type { Snapshot } from '../../../access/index.ts';
import { Places } from '../places.ts';
import { tooManySockets } from '../refusals.ts';
import { type Listener, SocketOver } from './client-frames.ts';
import type { Goodbye } from './frames.ts';
import { mayBeLong, packetOf } from './packets.ts';

/** Of one person; of people; of one address without a session, where many people may be; of those in all. */
const most = { person: 100, people: 20_000, address: 1_000, strangers: 5_000 };
/** A page names one session again and again, and another one after somebody signed in anew. Each is asked about. */
const mostTokens = 4;
/** Messages that are read, in bytes; what names somebody has a few hundred. Many strangers may hold one unfinished. */
const longestRead = { person: 64 * 1024, stranger: 8 * 1024 };
/** Sessions that are asked about at a time. */
const askedAtOnce = 20;

const goodbyes = {
  disabled: { code: 1008, reason: 'This account is disabled.' },
  ended: { code: 1008, reason: 'This session has ended; sign in again.' },
  wrong: { code: 1008, reason: 'Open WebUI does not say this.' },
  tooLong: { code: 1009, reason: 'This is too long.' },
  leaving: { code: 1012, reason: 'The gateway is started again.' },
  later: { code: 1013, reason: 'Try again in a moment.' },
} as const satisfies Record<string, Goodbye>;

/** Whose a token is. */
export type Judged = { readonly person: string } | 'stranger' | 'disabled';

export interface SocketsOptions {
  /** Rejects when Open WebUI cannot be asked. */
  judge(token: string, clientIp: string): Promise<Judged>;
  /** How often each session of an open socket is looked at, in milliseconds. */
  readonly checkMs: number;
}

export class OpenSockets {
  readonly #o: SocketsOptions;
  readonly #sockets = new Set<OpenSocket>();
  readonly #ofPeople = new Places({ each: most.person, all: most.people });
  readonly #ofStrangers = new Places({ each: most.address, all: most.strangers });
  readonly #timer: NodeJS.Timeout;
  #isChecking = false;

  constructor(o: SocketsOptions) {
    this.#o = o;
    this.#timer = setInterval(() => void this.#check(), o.checkMs).unref();
  }

  get count(): number {
    return this.#sockets.size;
  }

  /** Room for one more. Throws `too_many_sockets`. `shown` is what came with the handshake, and counts. */
  open(o: { clientIp: string; network: string; shown: Shown | undefined }): OpenSocket {
    const place = (person: string | undefined) =>
      person === undefined ? this.#ofStrangers.take(o.network) : this.#ofPeople.take(person);
    const socket: OpenSocket = new OpenSocket({
      judge: (token) => this.#o.judge(token, o.clientIp),
      place,
      closed: () => void this.#sockets.delete(socket),
    });
    if (!socket.begin(o.shown)) throw tooManySockets();
    this.#sockets.add(socket);
    return socket;
  }

  /** Ends those of people who are disabled in this picture. */
  recheck(snapshot: Pick<Snapshot, 'members'>): void {
    for (const socket of this.#sockets) socket.recheck(snapshot);
  }

  /** Ends those with this token, unless it goes on counting. */
  async checkToken(token: string): Promise<void> {
    await Promise.all([...this.#sockets].filter((one) => one.names(token)).map((one) => one.check()));
  }

  /** The program is about to stop: their clients open others. */
  leave(): void {
    for (const socket of this.#sockets) socket.end(goodbyes.leaving);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.end(undefined);
  }

  async #check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    const rest = [...this.#sockets];
    while (rest.length > 0) await Promise.all(rest.splice(0, askedAtOnce).map((one) => one.check()));
    this.#isChecking = false;
  }
}

interface Shown {
  readonly token: string;
  readonly person: string;
}

interface SocketDeps {
  judge(token: string): Promise<Judged>;
  /** Room for a socket of this person, or of nobody who is known; undefined: there is none. */
  place(person: string | undefined): (() => void) | undefined;
  closed(): void;
}

/** One of them. It is everybody's whose session was named on it, and ends with the first of these. */
export class OpenSocket implements Listener {
  readonly #deps: SocketDeps;
  /** Tokens that were named, and whose they are; null: nobody's. */
  readonly #tokens = new Map<string, string | null>();
  readonly #places = new Map<string | undefined, () => void>();
  #cut: ((goodbye: Goodbye | undefined) => void) | undefined;
  /** How it is to end, when that was decided before it was open. */
  #ended: { readonly goodbye: Goodbye | undefined } | undefined;
  #isGone = false;

  constructor(deps: SocketDeps) {
    this.#deps = deps;
  }

  /** False: there is no room. */
  begin(shown: Shown | undefined): boolean {
    if (!this.#take(shown?.person)) return false;
    if (shown) this.#tokens.set(shown.token, shown.person);
    return true;
  }

  /** It is open. `cut` ends it, with these words or none. */
  attach(cut: (goodbye: Goodbye | undefined) => void): void {
    this.#cut = cut;
    if (this.#ended) cut(this.#ended.goodbye);
  }

  /** It is closed, or was never opened. */
  release(): void {
    this.#isGone = true;
    for (const release of this.#places.values()) release();
    this.#places.clear();
    this.#deps.closed();
  }

  end(goodbye: Goodbye | undefined): void {
    this.#ended ??= { goodbye };
    this.#cut?.(goodbye);
  }

  names(token: string): boolean {
    return this.#tokens.has(token);
  }

  get longestRead(): number {
    return this.#isStranger ? longestRead.stranger : longestRead.person;
  }

  get #isStranger(): boolean {
    return this.#places.has(undefined);
  }

  heard(text: string): Promise<void> | void {
    const packet = packetOf(text);
    if (packet.kind === 'wrong') throw new SocketOver(goodbyes.wrong);
    if (packet.kind === 'token') return this.#name(packet.token);
  }

  heardLong(start: string): void {
    // Somebody who has not signed in has nothing long to say.
    if (this.#isStranger || !mayBeLong(start)) throw new SocketOver(goodbyes.tooLong);
  }

  recheck({ members }: Pick<Snapshot, 'members'>): void {
    for (const person of this.#tokens.values())
      if (person !== null && members.get(person)?.disabled) this.end(goodbyes.disabled);
  }

  /** Do its sessions go on counting? While nobody can tell, they do. */
  async check(): Promise<void> {
    for (const [token, person] of this.#tokens) {
      const judged = await this.#deps.judge(token).catch(() => undefined);
      if (judged === 'disabled') return this.end(goodbyes.disabled);
      if (judged === 'stranger' && person !== null) return this.end(goodbyes.ended);
      if (typeof judged === 'object' && judged.person !== person && !this.#bind(token, judged.person))
        return this.end(goodbyes.later);
    }
  }

  async #name(token: string): Promise<void> {
    if (this.#tokens.size >= mostTokens && !this.#tokens.has(token)) throw new SocketOver(goodbyes.wrong);
    const judged = await this.#deps.judge(token).catch(() => {
      throw new SocketOver(goodbyes.later);
    });
    if (judged === 'disabled') throw new SocketOver(goodbyes.disabled);
    if (judged === 'stranger') {
      // An old one of a page that was open for long. It is nobody's there too, and is looked at again.
      if (!this.#tokens.has(token)) this.#tokens.set(token, null);
    } else if (!this.#bind(token, judged.person)) throw new SocketOver(goodbyes.later);
  }

  /** False: this person has no room for it. */
  #bind(token: string, person: string): boolean {
    this.#tokens.set(token, person);
    return this.#take(person);
  }

  #take(person: string | undefined): boolean {
    if (this.#places.has(person)) return true;
    // Gone while its session was asked about.
    const release = this.#isGone ? undefined : this.#deps.place(person);
    if (!release) return false;
    this.#places.set(person, release);
    if (person !== undefined) {
      this.#places.get(undefined)?.();
      this.#places.delete(undefined);
    }
    return true;
  }
}
