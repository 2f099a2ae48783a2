import type { Call, Gate } from '../call.ts';
import { stateFor } from './account-of.ts';
import type { Offer } from './offer.ts';

/** Waits until the caller's account is there, no longer than `milliseconds`. Rejects when the caller is gone. */
export function untilConnected(call: Call, gate: Gate, offer: Offer, milliseconds: number): Promise<boolean> {
  const { signal } = call.controller;
  const isThere = () => {
    const state = stateFor(call, gate, offer);
    return state.state === 'connected' && state.connectedAt.getTime() !== offer.further?.since;
  };
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    if (isThere()) return resolve(true);
    const end = () => {
      clearTimeout(timer);
      stop();
      signal.removeEventListener('abort', gone);
    };
    const gone = () => {
      end();
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      end();
      resolve(isThere());
    }, milliseconds);
    const stop = gate.connect.accounts.onChange(() => {
      if (!isThere()) return;
      end();
      resolve(true);
    });
    signal.addEventListener('abort', gone, { once: true });
  });
}
