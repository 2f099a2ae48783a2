// The runner: stdio servers outside the process of the gate, held by what the system offers. The process of the runner
// loads this door and nothing else of the gate.
export { isSameCommand } from './allowed-commands.ts';
export { ChildRunner, greeting } from './child-runner.ts';
export { passedOnNames } from './containment/passed-on.ts';
export { primaryRunner } from './primary-runner.ts';
export { createRunner, type Runner } from './runner.ts';
