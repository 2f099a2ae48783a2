import type { ProcessLimits } from '../../access/contract.ts';

/** What one process may use, nothing left open. */
export interface Limits {
  readonly memoryMb: number;
  readonly cpus: number;
  readonly processes: number;
  readonly openFiles: number;
  readonly diskMb: number;
  readonly network: 'full' | 'none';
}

const usual: Limits = {
  memoryMb: 1024,
  cpus: 1,
  processes: 200,
  openFiles: 1024,
  diskMb: 1024,
  network: 'full',
};

/** As the operator wrote it, the usual values where nothing is written. */
export function limitsOf(written: ProcessLimits | undefined): Limits {
  return {
    memoryMb: written?.memoryMb ?? usual.memoryMb,
    cpus: written?.cpus ?? usual.cpus,
    processes: written?.processes ?? usual.processes,
    openFiles: written?.openFiles ?? usual.openFiles,
    diskMb: written?.diskMb ?? usual.diskMb,
    network: written?.network ?? usual.network,
  };
}

/** Of what somebody asks for who is not the operator, no more than the usual values. */
export function limitsWithin(asked: ProcessLimits | undefined): Limits {
  const wanted = limitsOf(asked);
  return {
    memoryMb: Math.min(wanted.memoryMb, usual.memoryMb),
    cpus: Math.min(wanted.cpus, usual.cpus),
    processes: Math.min(wanted.processes, usual.processes),
    openFiles: Math.min(wanted.openFiles, usual.openFiles),
    diskMb: Math.min(wanted.diskMb, usual.diskMb),
    network: wanted.network,
  };
}
