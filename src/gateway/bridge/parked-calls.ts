import type { Bus } from '../../platform/bus/contract.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Sealer } from '../../platform/sealer.ts';
import type { RpcNotification, RpcRequest, RpcResponse } from '../rpc/message.ts';
import type { ClientAnswer, Outgoing } from '../upstreams/outgoing.ts';
import { type BridgeLimits, bridgeLimits } from './limits.ts';
import { type GivenAnswers, missingFor, questionDigest, takeGiven } from './questions.ts';
import { notDeclared, ParkedCall, refused, type Settled, type Subject } from './parked-call.ts';
import { openState, type RequestState, sealState } from './request-state.ts';
import { serveOtherNodes } from './other-nodes.ts';

/** A request to a legacy server whose caller is modern. */
export interface Bridged {
  /** Made only when there is a question. */
  subject(): Subject;
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

/** Every call of this process that waits for the answers of a modern client, bounded in number and time. */
export class ParkedCalls {
  readonly limits: BridgeLimits;
  readonly #o: ParkedCallsOptions;
  readonly #calls = new Map<string, ParkedCall>();
  readonly #perPrincipal = new Map<string, number>();
  readonly #stopServing: () => void;
  #closed = false;

  constructor(o: ParkedCallsOptions) {
    this.#o = o;
    this.limits = { ...bridgeLimits, ...o.limits };
    this.#stopServing = serveOtherNodes(o.bus, this, this.limits);
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
          ? refused('Too many calls wait for answers of their clients; try again later')
          : Promise.resolve(notDeclared(request.method));
      };
      const finish = (outcome: Settled) => (parked ? parked.finish(outcome) : settle(outcome));
      bridged.send({ ...outgoing, onNotification: notify, onServerRequest }).then(
        (response) => finish({ response }),
        (error: unknown) => finish({ error }),
      );
    });
  }

  /** The parked call of that name, if it is this principal's and this request's. */
  find(id: string, principal: string, digest: string): ParkedCall | undefined {
    const parked = this.#calls.get(id);
    const { subject } = parked ?? {};
    return subject?.principal === principal && subject.digest === digest ? parked : undefined;
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
    this.#stopServing();
    for (const parked of [...this.#calls.values()]) parked.cancel(new Error('the gate shuts down'));
  }

  /** Undefined when there is no room, or when the client cannot be asked such a thing anyway. */
  #park(bridged: Bridged, request: RpcRequest, settle: (outcome: Settled) => void): ParkedCall | undefined {
    const subject = bridged.subject();
    const own = this.#perPrincipal.get(subject.principal) ?? 0;
    const { mostParked, mostPerPrincipal } = this.limits;
    if (this.#closed || !declared(subject, request)) return undefined;
    if (this.#calls.size >= mostParked || own >= mostPerPrincipal) {
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
      onOver: () => this.#forget(parked),
    });
    this.#calls.set(parked.id, parked);
    this.#perPrincipal.set(subject.principal, own + 1);
    return parked;
  }

  #forget(parked: ParkedCall): void {
    if (!this.#calls.delete(parked.id)) return;
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

function declared({ capabilities }: Subject, { method, params }: RpcRequest): boolean {
  return missingFor(method, params, capabilities) === undefined;
}
