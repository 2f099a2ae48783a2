import { loadConfig } from '../config.ts';
import { type Database, migrate, openDatabase, pendingMigrations } from '../platform/db/index.ts';
import { createLog, type Log } from '../platform/log.ts';
import { migrations } from './program.ts';

/** `toolgate migrate [--dry-run]`. */
export async function migrateOnly(): Promise<void> {
  const config = await loadConfig(process.env, process.cwd());
  const log = createLog(config.DEBUG ? 'debug' : 'warn');
  const database = await openDatabase({ url: config.DATABASE_URL, dataDir: config.TOOLGATE_DATA_DIR, log });
  try {
    process.stdout.write(await migrateOrTell(database, log, process.argv.includes('--dry-run')));
  } finally {
    await database.close();
  }
}

async function migrateOrTell(database: Database, log: Log, isDryRun: boolean): Promise<string> {
  const names = isDryRun
    ? await pendingMigrations(database, migrations)
    : (await migrate(database, migrations, { log })).applied;
  if (names.length === 0) return 'The database is up to date.\n';
  return `${isDryRun ? 'Would apply' : 'Applied'} ${names.join(', ')}.\n`;
}
