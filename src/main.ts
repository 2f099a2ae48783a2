// The program: one role of it by name. Each role is the composition of its own process, in src/start/.
import { runRole } from './platform/run-role.ts';

const roles: Readonly<Record<string, () => Promise<void>>> = {
  serve: async () => (await import('./start/serve.ts')).serve(),
  runner: async () => (await import('./start/runner.ts')).runner(),
  migrate: async () => (await import('./start/migrate.ts')).migrateOnly(),
  'verify-export': async () => (await import('./start/verify-export.ts')).verifyExported(),
  'wrap-key': async () => (await import('./start/wrap-key.ts')).wrapKey(),
};

await runRole(roles, process.argv[2] ?? 'serve');
