import { networkOf } from '../../platform/net-address.ts';
import { CredentialRefused, openWebUiUnreachable } from '../errors.ts';
import type { Credential } from '../providers/provider.ts';
import { Turns } from './turns.ts';

/** Questions at a time: about tokens that were never seen, by network, and about sessions that are known. */
const strangeTurns = { each: 20, all: 150, waiting: 500, allWaiting: 10_000, waitMs: 5_000 };
const knownTurns = { each: 50, all: 50, waiting: 10_000, allWaiting: 10_000, waitMs: 5_000 };

interface QuestionsOptions<Found> {
  lookUp(credential: Credential): Promise<Found>;
  /** Did Open WebUI know it before? */
  isKnown(digest: string): boolean;
  /** The answer, unless somebody signed out meanwhile. */
  keep(digest: string, found: Found): void;
  refused(credential: Credential, error: CredentialRefused): void;
}

/** What Open WebUI is asked: one question for all who ask about the same token, and no more than it can bear. */
export class Questions<Found> {
  readonly #o: QuestionsOptions<Found>;
  readonly #underWay = new Map<string, { readonly answer: Promise<Found> }>();
  readonly #strange = new Turns(strangeTurns);
  readonly #known = new Turns(knownTurns);

  constructor(o: QuestionsOptions<Found>) {
    this.#o = o;
  }

  ask(credential: Credential): Promise<Found> {
    const { digest } = credential;
    const underWay = this.#underWay.get(digest);
    if (underWay) return underWay.answer;
    const counts = () => this.#underWay.get(digest) === question;
    const question = {
      answer: this.#ask(credential, counts).finally(() => void (counts() && this.#underWay.delete(digest))),
    };
    this.#underWay.set(digest, question);
    return question.answer;
  }

  /** What is under way about this token was asked too early to be kept. */
  forget(digest: string): void {
    this.#underWay.delete(digest);
  }

  async #ask(credential: Credential, counts: () => boolean): Promise<Found> {
    try {
      const found = await this.#inTurn(credential);
      if (counts()) this.#o.keep(credential.digest, found);
      return found;
    } catch (error) {
      if (error instanceof CredentialRefused) this.#o.refused(credential, error);
      throw error;
    }
  }

  /** Somebody who floods with made-up tokens delays neither other networks nor who was known before. */
  #inTurn(credential: Credential): Promise<Found> {
    const isKnown = this.#o.isKnown(credential.digest);
    const whose = isKnown ? '' : networkOf(credential.request.clientIp);
    const none = () => openWebUiUnreachable(new Error('too many questions at once'));
    return (isKnown ? this.#known : this.#strange).take(whose, () => this.#o.lookUp(credential), none);
  }
}
