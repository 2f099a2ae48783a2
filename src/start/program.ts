import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** What every role knows of the program itself. */
export const projectDir = fileURLToPath(new URL('../..', import.meta.url));
export const migrations = path.join(projectDir, 'migrations');
export const version = '0.1.0';
