import { type Route, route } from '../platform/contract.ts';
import { messageOf } from '../platform/errors.ts';
import { healthOf } from './connectors/runner-health.ts';
import type { RunnerWay } from './connectors/runner.ts';
import { api } from './contract.ts';
import { ChildRunner } from './runner/child-runner.ts';

/** Where servers run that are processes; undefined: beside the gate. */
export function runnerRoute(runner: RunnerWay | undefined): Route {
  return route(api.getRunner, async () => {
    const away = runner?.away?.()?.since.toISOString() ?? null;
    const nothing = { awaySince: away, processes: null, inForce: [] };
    if (!runner) return { mode: 'off' as const, answers: false, message: beside, ...nothing };
    const mode = runner instanceof ChildRunner ? ('child' as const) : ('remote' as const);
    try {
      const { processes, inForce } = await healthOf(runner);
      return { mode, answers: true, message: 'The runner answers.', awaySince: null, processes, inForce };
    } catch (error) {
      return { mode, answers: false, message: messageOf(error), ...nothing };
    }
  });
}

const beside = 'Servers run beside Toolgate, as its user, held by nothing but their process group.';
