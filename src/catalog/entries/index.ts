// What a process that starts servers needs of the catalog, and nothing that knows of a database or a secret.
export { commandsOfFile } from '../install/commands-of-file.ts';
