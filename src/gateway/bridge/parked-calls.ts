import { LRUCache } from 'lru-cache';
import type { Bus } from '../../platform/bus/contract.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Sealer } from '../../platform/sealer.ts';
import type { RpcNotification, RpcRequest, RpcResponse } from '../rpc/message.ts';
import type { ClientAnswer, Outgoing } from '../upstreams/outgoing.ts';
import { type BridgeLimits, bridgeLimits } from './limits.ts';
import { type GivenAnswers, missingFor, questionDigest, takeGiven } from './questions.ts';
import {
  type Continued,
  lengthOf,
  noRoom,
  notDeclared,
  ParkedCall,
  refused,
  type Settled,
  type Subject,
} from './parked-call.ts';
import { openState, type RequestState, sealState } from './request-state.ts';
import { serveOtherNodes } from './other-nodes.ts';

/** A request to a legacy server whose caller is modern. */
export interface Bridged {
  /** Made only when there is a question. */
  subject(): Subject;
  /** Would the call be let through at this moment, to the same server in the same way? */
  isAllowed(): boolean;
  send(outgoing: Outgoing): Promise<RpcResponse>;
  /** Its controller becomes the parked call's own: nothing aborts it once the client has its answer. */
  readonly outgoing: Outgoing;
  /** Answers of an earlier attempt. */
  readonly given: GivenAnswers | undefined;
}

export interface ParkedCallsOptions {
  readonly bus: Bus;
  readonly sealer: Sealer;
  readonly log: Log;
  readonly clock: Clock;
  readonly limits?: Partial<BridgeLimits> | undefined;
}

/**
 * Every call of this process that waits for the answers of a modern client, bounded in number, size and time. A retry
 * that comes once more is told what the first one was, so that nothing is done twice.
 */
export class ParkedCalls {
  readonly limits: BridgeLimits;
  readonly #o: ParkedCallsOptions;
  readonly #calls = new Map<string, ParkedCall>();
  readonly #perPrincipal = new Map<string, number>();
  readonly #told: LRUCache<string, Continued>;
  readonly #stopServing: () => void;
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  constructor(o: ParkedCallsOptions) {
    this.#o = o;
    this.limits = { ...bridgeLimits, ...o.limits };
    const { mostTold, parkedMs, recheckMs } = this.limits;
    this.#told = new LRUCache({ maxSize: mostTold, ttl: parkedMs });
    this.#stopServing = serveOtherNodes(o.bus, this, this.limits);
    this.#timer = setInterval(() => this.#recheck(), recheckMs).unref();
  }

  get size(): number {
    return this.#calls.size;
  }

  get node(): string {
    return this.#o.bus.node;
  }

  get bus(): Bus {
    return this.#o.bus;
  }

  /**
   * Sends the request. Resolves with the server's response, or with `input_required` once the server has asked;
   * then the rest is for a retry. Nothing is made for a call without questions.
   */
  run(bridged: Bridged): Promise<RpcResponse> {
    return new Promise((resolve, reject) => {
      const { outgoing, given } = bridged;
      const settle = (outcome: Settled) =>
        'response' in outcome ? resolve(outcome.response) : reject(outcome.error);
      let parked: ParkedCall | undefined;
      const notify = (message: RpcNotification) => {
        if (parked) parked.notify(message);
        else outgoing.onNotification?.(message);
      };
      const onServerRequest = (request: RpcRequest): Promise<ClientAnswer> => {
        const answer = takeGiven(given, questionDigest(request.method, request.params));
        if (answer) return Promise.resolve(answer);
        parked ??= this.#park(bridged, request, settle);
        if (parked) return parked.ask(request);
        return declared(bridged.subject(), request)
          ? refused(noRoom)
          : Promise.resolve(notDeclared(request.method));
      };
      const finish = (outcome: Settled) => (parked ? parked.finish(outcome) : settle(outcome));
      bridged.send({ ...outgoing, onNotification: notify, onServerRequest }).then(
        (response) => finish({ response }),
        (error: unknown) => finish({ error }),
      );
    });
  }

  /** The call of that name, parked or answered lately, if it is this principal's and this request's. */
  find(id: string, principal: string, digest: string): Continued | undefined {
    const found = this.#calls.get(id) ?? this.#told.get(id);
    const { subject } = found ?? {};
    return subject?.principal === principal && subject.digest === digest ? found : undefined;
  }

  readState(sealed: string): RequestState | undefined {
    return openState(this.#o.sealer, sealed);
  }

  /** State of a request that is simply sent again once the client has done what it was asked. */
  stateToSendAgain(subject: Subject): string {
    return this.#seal('again', '', subject, { open: [], answered: [] });
  }

  /** Ends every parked call at its server. Retries find another process, or are sent anew. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#stopServing();
    for (const parked of [...this.#calls.values()]) parked.cancel(new Error('the gate shuts down'));
  }

  /** Undefined when there is no room, or when the client cannot be asked such a thing anyway. */
  #park(bridged: Bridged, request: RpcRequest, settle: (outcome: Settled) => void): ParkedCall | undefined {
    const subject = bridged.subject();
    const own = this.#perPrincipal.get(subject.principal) ?? 0;
    const { mostParked, mostPerPrincipal } = this.limits;
    const paramsLength = bridged.outgoing.rawParams?.length ?? 0;
    if (this.#closed || !declared(subject, request)) return undefined;
    if (this.#calls.size >= mostParked || own >= mostPerPrincipal || !this.#hasRoom(paramsLength)) {
      const { principal, server } = subject;
      this.#o.log.warn({ principal, server, parked: this.#calls.size, own }, 'no room to park a call');
      return undefined;
    }
    const parked: ParkedCall = new ParkedCall({
      subject,
      limits: this.limits,
      controller: bridged.outgoing.controller,
      waiting: { notify: (message) => bridged.outgoing.onNotification?.(message), settle },
      seal: (open, answered) => this.#seal('parked', parked.id, subject, { open, answered }),
      onDropped: (method) =>
        this.#o.log.debug({ server: subject.server, method }, 'dropped: the call is parked'),
      paramsLength,
      hasRoom: (length) => this.#hasRoom(length),
      isAllowed: () => bridged.isAllowed(),
      onOver: (told) => this.#forget(parked, told),
    });
    this.#calls.set(parked.id, parked);
    this.#perPrincipal.set(subject.principal, own + 1);
    return parked;
  }

  #hasRoom(length: number): boolean {
    let sum = length;
    for (const { kept } of this.#calls.values()) sum += kept;
    return sum <= this.limits.mostKept;
  }

  #recheck(): void {
    for (const parked of [...this.#calls.values()]) parked.recheck();
  }

  #forget(parked: ParkedCall, told: Settled | undefined): void {
    if (!this.#calls.delete(parked.id)) return;
    if (told) this.#told.set(parked.id, answered(parked.subject, told), { size: 1_000 + lengthOf(told) });
    const { principal } = parked.subject;
    const left = (this.#perPrincipal.get(principal) ?? 1) - 1;
    if (left > 0) this.#perPrincipal.set(principal, left);
    else this.#perPrincipal.delete(principal);
  }

  #seal(
    kind: RequestState['kind'],
    id: string,
    { principal, server, digest }: Subject,
    { open, answered }: Pick<ParkedCall, 'open' | 'answered'>,
  ): string {
    return sealState(this.#o.sealer, {
      ...{ kind, id, principal, server, digest, answered },
      node: this.node,
      expiresAt: this.#o.clock() + this.limits.parkedMs,
      questions: open,
    });
  }
}

/** A call that is over, for whoever comes again with the same state. */
function answered(subject: Subject, told: Settled): Continued {
  return { subject, attach: (waiting) => waiting.settle(told), cancel: () => undefined };
}

function declared({ capabilities }: Subject, { method, params }: RpcRequest): boolean {
  return missingFor(method, params, capabilities) === undefined;
}
