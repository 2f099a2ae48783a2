import type { InForce } from '../../contract.ts';
import type { System } from './offered.ts';

/** What holds servers on this system, everything that could hold one. */
export function inForce(system: System): InForce[] {
  return [
    environment,
    user(system),
    rights(system),
    files(system),
    processIds(system),
    memory(system),
    processes(system),
    processors(system),
    openFiles,
    disk,
    network(system),
    packages(system),
  ];
}

/** Packages that everybody runs are safe only where nobody can write what is mounted read-only for it. */
export function sharesPackages({ walls, setpriv }: System): boolean {
  return walls === 'bubblewrap' && (setpriv || process.getuid?.() !== 0);
}

const environment: InForce = {
  feature: 'environment',
  state: 'on',
  how: 'a server gets PATH, HOME, TMPDIR, language, proxies and registries, and what its definition names; nothing of the gate’s',
};

const openFiles: InForce = {
  feature: 'open files, file size, core dumps',
  state: 'on',
  how: 'setrlimit',
};

const disk: InForce = {
  feature: 'disk',
  state: 'partly',
  how: 'its directories are measured again and again, twice a second while they are small, and it is ended beyond its limit; no file may be larger',
};

function user({ user }: System): InForce {
  const isRoot = process.getuid?.() === 0;
  if (user)
    return {
      feature: 'user',
      state: 'on',
      how: `servers run as ${user.name}${user.span > 1 ? ', each as another' : ''}, unless what their definition names is not theirs to use`,
    };
  return isRoot
    ? {
        feature: 'user',
        state: 'off',
        how: 'servers run as root: nobody else is named, or setpriv (util-linux) is not there',
      }
    : {
        feature: 'user',
        state: 'partly',
        how: 'servers run as the user that the runner has, who is not root',
      };
}

function rights({ setpriv, walls }: System): InForce {
  const on = setpriv || walls === 'bubblewrap';
  return {
    feature: 'rights',
    state: on ? 'on' : 'off',
    how: on ? 'no program can gain rights (no_new_privs)' : 'setpriv (util-linux) is not there',
  };
}

function files({ walls, user }: System): InForce {
  const feature = 'files';
  if (walls === 'bubblewrap')
    return {
      feature,
      state: 'on',
      how: 'bubblewrap: the system read-only, its own directories, what its definition names',
    };
  return user
    ? { feature, state: 'partly', how: `whatever ${user.name} may read; install bubblewrap` }
    : {
        feature,
        state: 'off',
        how: 'whatever the user of the runner may read, the gate’s files and environment too; install bubblewrap',
      };
}

function processIds({ walls }: System): InForce {
  const feature = 'other processes';
  if (walls !== 'none')
    return {
      feature,
      state: 'on',
      how: `${walls}: a server sees no process but its own, and none outlives it`,
    };
  return {
    feature,
    state: 'partly',
    how: 'its process group is ended with it, and daemons that carry its mark; one that takes the mark out outlives it',
  };
}

function memory({ cgroups, seesProcesses }: System): InForce {
  const feature = 'memory';
  return cgroups?.controllers.includes('memory')
    ? { feature, state: 'on', how: `control groups, version ${cgroups.version}` }
    : looked(feature, seesProcesses);
}

function processes({ cgroups, countsOwnProcesses, seesProcesses }: System): InForce {
  const feature = 'processes';
  if (cgroups?.controllers.includes('pids'))
    return { feature, state: 'on', how: `control groups, version ${cgroups.version}` };
  return countsOwnProcesses
    ? { feature, state: 'on', how: 'setrlimit in a user namespace of its own' }
    : looked(feature, seesProcesses);
}

function processors({ cgroups }: System): InForce {
  const feature = 'processors';
  return cgroups?.controllers.includes('cpu')
    ? { feature, state: 'on', how: `control groups, version ${cgroups.version}` }
    : { feature, state: 'partly', how: 'the gate goes first (nice); nothing bounds what is left' };
}

function network({ closesNetwork, walls }: System): InForce {
  return {
    feature: 'network',
    state: 'partly',
    how: closesNetwork
      ? `open, loopback included, unless a server is set to "network": "none" (${walls})`
      : 'open, loopback included; a server that is set to "network": "none" does not start',
  };
}

function packages(system: System): InForce {
  const feature = 'packages';
  return sharesPackages(system)
    ? {
        feature,
        state: 'on',
        how: 'fetched once for everybody, in exact versions, and read-only for whoever runs them',
      }
    : {
        feature,
        state: 'off',
        how: 'npx and uvx fetch them again for each server, tenant and person; install bubblewrap',
      };
}

function looked(feature: string, seesProcesses: boolean): InForce {
  return seesProcesses
    ? { feature, state: 'partly', how: 'looked at twice a second, and ended beyond its limit' }
    : { feature, state: 'off', how: 'nothing counts it on this system' };
}
